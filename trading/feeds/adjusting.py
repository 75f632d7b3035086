"""Prices as if splits and dividends had always been: recorded bars, adjusted backwards."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from trading.feeds.base import FeedError
from trading.feeds.days import day_number, shifts_of
from trading.feeds.gaps import DAY
from trading.feeds.tables import Bools, Floats, Ints, Table

_COLUMNS: Final = ("symbol", "date", "kind", "value")
_KINDS: Final = ("split", "dividend")


@dataclass(frozen=True)
class Event:
    """What became of a symbol on its ex-date, ``day`` (days since the epoch), and the ``line`` that tells of it.

    The ``value`` of a split is the number of new shares per old one (4 for four-for-one, 0.1 for one-for-ten), that of
    a dividend the cash per share in the quote currency.
    """

    symbol: str
    day: int
    kind: str
    value: float
    line: int


def read_events(path: Path, shown: str) -> list[Event]:
    """The rows of a CSV file with the columns symbol, date (the ex-date, 2024-06-10), kind and value, in order of date.

    Raises `FeedError`, naming the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = list(_events(csv.DictReader(file), shown))
    except FileNotFoundError:
        raise FeedError("there is no such file of adjustments", shown) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"cannot be read: {error}", shown) from error
    return sorted(found, key=lambda event: event.day)


def _events(rows: csv.DictReader[str], shown: str) -> Iterator[Event]:
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise FeedError(f"has no column {', '.join(missing)}; needed are {', '.join(_COLUMNS)}", shown, 1)
    for row in rows:
        try:
            yield _event(row, rows.line_num)
        except ValueError as error:
            raise FeedError(str(error), shown, rows.line_num) from error


def _event(row: dict[str, str], line: int) -> Event:
    symbol, written, kind, figure = ((row[name] or "").strip() for name in _COLUMNS)
    if not symbol:
        raise ValueError("symbol is empty")
    try:
        day = day_number(date.fromisoformat(written))
    except ValueError:
        raise ValueError(f"date {written!r} is no day: write 2024-06-10") from None
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r} must be one of {', '.join(_KINDS)}")
    try:
        value = float(figure)
    except ValueError:
        raise ValueError(f"value {figure!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise ValueError("value is not more than zero")
    return Event(symbol, day, kind, value, line)


class Adjustment:
    """What events make of the prices before them, known once all ``tables`` of a universe have been looked through.

    Before a split of r new shares per old one prices are divided by r and volumes multiplied by it. Before a dividend D
    prices are multiplied by 1 - D / P, with P the last close before the ex-date; the return over the ex-date is then
    close / (P - D), the total return. These are the factors of CRSP (Data Descriptions Guide, "Factor to Adjust Price")
    and of the adjusted close that data vendors publish. A dividend on the day of a split is paid on the new shares.
    With splits alone each price is rounded once, so that 4-for-1 gives quarters exactly.

    ``intraday`` tells of each code whether its bars are within the day (`trading.feeds.days.shifts_of`). Raises
    `FeedError` for a dividend that is more than its share was worth.
    """

    def __init__(
        self, tables: Iterable[Table], universe: Sequence[str], intraday: Bools, events: Sequence[Event], shown: str
    ) -> None:
        self._intraday = intraday
        self._events: dict[str, list[Event]] = {symbol: [] for symbol in universe}
        for event in sorted(events, key=lambda event: event.day):
            self._events.get(event.symbol, []).append(event)
        closes = self._closes_before(tables)
        self._factors = {symbol: _Factors(found, closes, shown) for symbol, found in self._events.items() if found}

    def _rows(self, table: Table) -> Iterator[tuple[str, Ints, Ints]]:
        """Of each symbol with events: its rows' indices, and their days."""
        for code, symbol in enumerate(table.names):
            if self._events[symbol]:
                rows = np.flatnonzero(table.codes == code)
                times = table.times[rows]
                yield symbol, rows, (times + shifts_of(symbol, times, bool(self._intraday[code]))) // DAY

    def _closes_before(self, tables: Iterable[Table]) -> dict[Event, float]:
        """The last close before each event that has one."""
        found = {}
        for table in tables:
            for symbol, rows, days in self._rows(table):
                for event in self._events[symbol]:
                    before = int(np.searchsorted(days, event.day))
                    if before:
                        found[event] = float(table.figures["close"][rows[before - 1]])
        return found

    def made(self, table: Table) -> Table:
        """The bars with every price before an event put on the footing of after it."""
        kept, divided = np.ones(len(table.times)), np.ones(len(table.times))
        for symbol, rows, days in self._rows(table):
            kept[rows], divided[rows] = self._factors[symbol].on(days)
        figures = {
            name: column * divided if name == "volume" else column * kept / divided
            for name, column in table.figures.items()
        }
        return Table(table.times, table.codes, table.names, figures)


class _Factors:
    """By day of one symbol: what dividends leave of a price, and the shares that splits made of one."""

    def __init__(self, events: Sequence[Event], closes: dict[Event, float], shown: str) -> None:
        self._days = np.array([event.day for event in events], np.int64)
        kept, divided = np.ones(len(events) + 1), np.ones(len(events) + 1)
        for number, event in enumerate(events):
            # Of the days before it, by the number of events that had come.
            before = slice(0, number + 1)
            if event.kind == "split":
                divided[before] *= event.value
            elif event in closes:
                kept[before] *= 1 - _part_paid(event, events, closes[event], shown)
        self._kept, self._divided = kept, divided

    def on(self, days: Ints) -> tuple[Floats, Floats]:
        passed = np.searchsorted(self._days, days, side="right")
        return self._kept[passed], self._divided[passed]


def _part_paid(dividend: Event, events: Sequence[Event], price: float, shown: str) -> float:
    """What part of the close before it a dividend is."""
    new_shares = np.prod([one.value for one in events if one.kind == "split" and one.day == dividend.day])
    paid = dividend.value * float(new_shares)
    if paid >= price:
        reason = f"a dividend of {dividend.value:g} is not less than the close of {price:g} before it"
        raise FeedError(reason, shown, dividend.line)
    return paid / price
