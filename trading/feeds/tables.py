"""Recorded bars from CSV and Parquet files, checked as a whole before any of them is used."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from trading.feeds.base import FeedError

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

PRICES: Final = ("open", "high", "low", "close")
FIGURES: Final = (*PRICES, "volume")
#: The quote at a bar's close, which a file may have; zero or an empty cell is no quote.
QUOTES: Final = ("bid", "ask")
COLUMNS: Final = ("timestamp", "symbol", *FIGURES)
#: More than any instrument costs, and little enough for sums over a long run to stay exact to the cent.
HIGHEST_PRICE: Final = 1e9
HIGHEST_VOLUME: Final = 1e15

_TIME: Final = pa.timestamp("ns", "UTC")
_NUMBERS: Final = (*FIGURES, *QUOTES)
_TYPES: Final = {"timestamp": _TIME, "symbol": pa.string(), **{name: pa.float64() for name in _NUMBERS}}
_WANTED: Final = {"timestamp": "a time", "symbol": "a symbol", **dict.fromkeys(_NUMBERS, "a number")}


class _BadRow(Exception):
    """A row that cannot be used, by its index among the rows of data."""

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


def read_table(path: Path, shown: str, symbol: str | None = None) -> Table:
    """Read and check a file, which errors call ``shown``; raises `FeedError`, naming the line (of a CSV file; the
    header is line 1) or the row (of a Parquet file; the first is row 1).

    ``symbol`` is that of all rows where the file has no such column; None asks for the column.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise FeedError(f"must be one of {', '.join(SUFFIXES)}, or a folder of them", shown)
    if not path.is_file():
        raise FeedError("there is no such file" if not path.exists() else "is not a file", shown)
    read, _ = form
    try:
        try:
            return _checked(_converted(read(path, symbol)))
        except _BadRow as bad:
            raise bad_row(path, shown, bad.row, bad.reason) from bad
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise FeedError(f"cannot be read: {error}", shown) from error
    except _BadFile as error:
        raise FeedError(str(error), shown) from error


def bad_row(path: Path, shown: str, row: int, reason: str) -> FeedError:
    """What is wrong with a row of data, by its index, as an error that names its line or its row."""
    line = _FORMS[path.suffix.lower()][1](path, row)
    return FeedError(reason if line else f"row {row + 1}: {reason}", shown, line)


class _BadFile(Exception):
    """A file that is wrong as a whole."""


def _columns(found: list[str], symbol: str | None) -> list[str]:
    """The columns to read, of those that a file has."""
    needed = [name for name in COLUMNS if name != "symbol" or symbol is None or name in found]
    missing = [name for name in needed if name not in found]
    if missing:
        raise _BadFile(f"has no column {', '.join(missing)}; needed are {', '.join(needed)}")
    wanted = [*needed, *(name for name in QUOTES if name in found)]
    doubled = [name for name in wanted if found.count(name) > 1]
    if doubled:
        raise _BadFile(f"has the column {doubled[0]} twice")
    return wanted


def _named(table: pa.Table, symbol: str | None) -> pa.Table:
    """The table with its column of symbols."""
    if "symbol" in table.column_names:
        return table
    return table.append_column("symbol", pa.repeat(pa.scalar(symbol, pa.string()), table.num_rows))


def _read_csv(path: Path, symbol: str | None) -> pa.Table:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        header = next(csv.reader(file), None)
    if header is None:
        raise _BadFile(f"is empty; its first line must name the columns {', '.join(COLUMNS)}")
    columns = _columns(header, symbol)
    try:
        return _named(_read_text(path, columns, use_threads=True), symbol)
    except pa.ArrowInvalid:
        return _named(_read_and_name_the_row(path, columns), symbol)


def _read_text(path: Path, columns: list[str], use_threads: bool) -> pa.Table:
    """All cells as text, so that one cast, of which the failing row can be found, says what is readable."""
    options = arrow_csv.ConvertOptions(
        include_columns=columns,
        column_types=dict.fromkeys(columns, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    return arrow_csv.read_csv(path, arrow_csv.ReadOptions(use_threads=use_threads), convert_options=options)


def _read_and_name_the_row(path: Path, columns: list[str]) -> pa.Table:
    """Arrow tells the row of a malformed line only when it reads by one thread."""
    try:
        return _read_text(path, columns, use_threads=False)
    except pa.ArrowInvalid as error:
        match = re.search(r"Row #(\d+): (?:CSV conversion error to \w+: )?([^:]*)", str(error))
        if match is None:
            raise
        raise _BadRow(int(match[1]) - 2, match[2]) from error


def _csv_line(path: Path, row: int) -> int | None:
    """The line in which a row of data starts; blank lines are no rows."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        next(reader)
        seen = -1
        for cells in reader:
            seen += bool(cells)
            if seen == row:
                return reader.line_num
    return None


def _read_parquet(path: Path, symbol: str | None) -> pa.Table:
    file = parquet.ParquetFile(path)
    schema = file.schema_arrow
    columns = _columns(schema.names, symbol)
    kind = schema.field("timestamp").type
    if pa.types.is_timestamp(kind) and kind.tz is None:
        raise _BadFile("the column timestamp has no time zone: write it as UTC")
    if not (pa.types.is_timestamp(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _BadFile(f"the column timestamp holds {kind}: write times in UTC")
    return _named(file.read(columns=columns), symbol)


def _parquet_line(path: Path, row: int) -> int | None:
    return None


_FORMS: Final = {".csv": (_read_csv, _csv_line), ".parquet": (_read_parquet, _parquet_line)}
SUFFIXES: Final = tuple(_FORMS)


def _converted(table: pa.Table) -> pa.Table:
    """The columns in the types that the rest works with; raises `_BadRow` for a cell that has none of it."""
    return pa.table({name: _cast(name, table.column(name).combine_chunks()) for name in table.column_names})


def _cast(name: str, column: Any) -> Any:
    if name in QUOTES:
        column = pc.fill_null(column, pa.scalar("0").cast(column.type))
    if column.null_count:
        raise _BadRow(pc.index(pc.is_null(column), True).as_py(), f"{name} is empty")
    try:
        return pc.cast(column, _TYPES[name])
    except pa.ArrowInvalid:
        row = _first_uncastable(column, _TYPES[name])
        cell = pc.cast(column.slice(row, 1), pa.string()).to_pylist()[0][:40]
        zoneless = name == "timestamp" and _castable(column.slice(row, 1), pa.timestamp("ns"))
        hint = f"has no time zone: write {cell}Z for UTC" if zoneless else f"is not {_WANTED[name]}"
        raise _BadRow(row, f"{name} {cell!r} {hint}") from None
    except pa.ArrowNotImplementedError as error:
        raise _BadFile(f"the column {name} holds {column.type}, not {_WANTED[name]}s") from error


def _castable(column: Any, kind: Any) -> bool:
    try:
        pc.cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _first_uncastable(column: Any, kind: Any) -> int:
    """By halving: everything before ``low`` can be cast, something in [low, high) cannot."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if _castable(column.slice(low, middle - low), kind):
            low = middle
        else:
            high = middle
    return low


def _checked(table: pa.Table) -> Table:
    """The columns as arrays; raises `_BadRow` for the first row that is impossible in itself or beside the others."""
    times = table.column("timestamp").cast(pa.int64()).to_numpy()
    symbols = table.column("symbol").combine_chunks().dictionary_encode()
    codes = symbols.indices.to_numpy().astype(np.int64)
    figures = {name: table.column(name).to_numpy() for name in _NUMBERS if name in table.column_names}
    faults = [
        *(fault for name in PRICES for fault in _price_faults(name, figures[name])),
        *(fault for name in QUOTES if name in figures for fault in _quote_faults(name, figures[name])),
        (_first(~np.isfinite(figures["volume"])), "volume is not a finite number"),
        (_first(figures["volume"] < 0), "volume is negative"),
        (_first(figures["volume"] > HIGHEST_VOLUME), f"volume is more than {HIGHEST_VOLUME:.0f}"),
        (_first(figures["high"] < figures["low"]), "high is less than low"),
        (_first(np.diff(times, prepend=times[:1]) < 0), "timestamp is earlier than in the row before"),
        (_first_repeated(times, codes), "timestamp and symbol are those of an earlier row"),
    ]
    found = [(row, reason) for row, reason in faults if row is not None]
    if found:
        raise _BadRow(*min(found, key=lambda fault: fault[0]))
    return Table(times, codes, symbols.dictionary.to_pylist(), figures)


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


def _first(wrong: npt.NDArray[np.bool_]) -> int | None:
    return int(wrong.argmax()) if wrong.any() else None


def _first_repeated(times: Ints, codes: Ints) -> int | None:
    """The first row with the time and symbol of one before it; the sort is stable, so the later one is named."""
    order = np.lexsort((codes, times))
    same = (np.diff(times[order]) == 0) & (np.diff(codes[order]) == 0)
    return int(order[1:][same].min()) if same.any() else None
