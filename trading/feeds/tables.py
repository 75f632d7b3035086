"""Rows of bars as columns, and what makes a row impossible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

PRICES: Final = ("open", "high", "low", "close")
FIGURES: Final = (*PRICES, "volume")
#: The quote at a bar's close, which a file may have; zero or an empty cell is no quote.
QUOTES: Final = ("bid", "ask")
NUMBERS: Final = (*FIGURES, *QUOTES)
COLUMNS: Final = ("timestamp", "symbol", *FIGURES)
#: More than any instrument costs, and little enough for sums over a long run to stay exact to the cent.
HIGHEST_PRICE: Final = 1e9
HIGHEST_VOLUME: Final = 1e15

#: Rows that are handled at a time: enough for speed, little enough for memory.
PART: Final = 65_536


class BadRow(Exception):
    """A row that cannot be used, by its index among those of its part."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


@dataclass(frozen=True)
class Table:
    """Rows in their order, all of one length n.

    ``times`` in nanoseconds since the epoch, UTC; ``codes`` index into ``names``; ``figures`` holds open, high, low,
    close (quote currency per unit) and volume (units), and bid and ask where the file has them.
    """

    times: Ints
    codes: Ints
    names: list[str]
    figures: dict[str, Floats]

    def rows(self, chosen: Ints) -> Table:
        """The rows with these indices, in this order."""
        figures = {name: column[chosen] for name, column in self.figures.items()}
        return Table(self.times[chosen], self.codes[chosen], self.names, figures)

    def cut(self, start: int, end: int) -> Table:
        """The rows from ``start`` up to ``end``, which share their memory with these."""
        part = slice(start, end)
        figures = {name: column[part] for name, column in self.figures.items()}
        return Table(self.times[part], self.codes[part], self.names, figures)


@dataclass
class Before:
    """The last time of the parts before, and the symbols that have a row of it."""

    time: int | None = None
    symbols: set[str] = field(default_factory=set)


def checked(table: pa.Table, before: Before) -> Table:
    """The columns as arrays; raises `BadRow` for the first row that is impossible in itself or beside the others."""
    times = table.column("timestamp").cast(pa.int64()).to_numpy()
    symbols = table.column("symbol").combine_chunks().dictionary_encode()
    codes = symbols.indices.to_numpy().astype(np.int64)
    figures = {name: table.column(name).to_numpy() for name in NUMBERS if name in table.column_names}
    found = Table(times, codes, symbols.dictionary.to_pylist(), figures)
    faults = [
        *(fault for name in PRICES for fault in _price_faults(name, figures[name])),
        *(fault for name in QUOTES if name in figures for fault in _quote_faults(name, figures[name])),
        (_first(~np.isfinite(figures["volume"])), "volume is not a finite number"),
        (_first(figures["volume"] < 0), "volume is negative"),
        (_first(figures["volume"] > HIGHEST_VOLUME), f"volume is more than {HIGHEST_VOLUME:.0f}"),
        (_first(figures["high"] < figures["low"]), "high is less than low"),
        *_order_faults(found, before),
    ]
    wrong = [(row, reason) for row, reason in faults if row is not None]
    if wrong:
        raise BadRow(*min(wrong, key=lambda fault: fault[0]))
    return found


def _order_faults(part: Table, before: Before) -> list[tuple[int | None, str]]:
    """What is wrong with the rows' order, within the part and after those ``before``, which go on to its end."""
    times, last = part.times, before.time
    if not len(times):
        return []
    earlier = _first(np.diff(times, prepend=times[:1] if last is None else last) < 0)
    repeated = _first_repeated(times, part.codes)
    if last == times[0]:
        same = part.codes[: np.searchsorted(times, last, side="right")].tolist()
        across = next((row for row, code in enumerate(same) if part.names[code] in before.symbols), None)
        repeated = across if across is not None else repeated
    before.time = int(times[-1])
    at_end = {part.names[code] for code in part.codes[np.searchsorted(times, before.time) :].tolist()}
    before.symbols = at_end | before.symbols if last == times[0] == before.time else at_end
    return [
        (earlier, "timestamp is earlier than in the row before"),
        (repeated, "timestamp and symbol are those of an earlier row"),
    ]


def _price_faults(name: str, prices: Floats) -> list[tuple[int | None, str]]:
    return [
        (_first(~np.isfinite(prices)), f"{name} is not a finite number"),
        (_first(prices <= 0), f"{name} is not more than zero"),
        (_first(prices > HIGHEST_PRICE), f"{name} is more than {HIGHEST_PRICE:.0f}"),
    ]


def _quote_faults(name: str, prices: Floats) -> list[tuple[int | None, str]]:
    return [
        (_first(~np.isfinite(prices)), f"{name} is not a finite number"),
        (_first(prices < 0), f"{name} is less than zero"),
        (_first(prices > HIGHEST_PRICE), f"{name} is more than {HIGHEST_PRICE:.0f}"),
    ]


def _first(wrong: Bools) -> int | None:
    return int(wrong.argmax()) if wrong.any() else None


def _first_repeated(times: Ints, codes: Ints) -> int | None:
    """The first row with the time and symbol of one before it; the sort is stable, so the later one is named."""
    if (np.diff(times) > 0).all():
        return None
    order = np.lexsort((codes, times))
    same = (np.diff(times[order]) == 0) & (np.diff(codes[order]) == 0)
    return int(order[1:][same].min()) if same.any() else None
