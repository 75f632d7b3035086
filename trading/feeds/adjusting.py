"""Prices as if splits and dividends had always been: recorded bars, adjusted backwards."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from trading.feeds.base import FeedError
from trading.feeds.days import day_number, shifts_of
from trading.feeds.gaps import DAY
from trading.feeds.tables import Floats, Ints, Table

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


def adjusted(table: Table, events: list[Event], shown: str) -> Table:
    """The bars with every price before an event put on the footing of after it; raises `FeedError` for a dividend that
    is more than its share was worth.

    Before a split of r new shares per old one prices are divided by r and volumes multiplied by it. Before a dividend D
    prices are multiplied by 1 - D / P, with P the last close before the ex-date; the return over the ex-date is then
    close / (P - D), the total return. These are the factors of CRSP (Data Descriptions Guide, "Factor to Adjust Price")
    and of the adjusted close that data vendors publish. A dividend on the day of a split is paid on the new shares.
    With splits alone each price is rounded once, so that 4-for-1 gives quarters exactly.
    """
    by_symbol = defaultdict(list)
    for event in events:
        by_symbol[event.symbol].append(event)
    kept, divided = np.ones(len(table.times)), np.ones(len(table.times))
    for code, symbol in enumerate(table.names):
        if symbol in by_symbol:
            rows = np.flatnonzero(table.codes == code)
            times = table.times[rows]
            days: Ints = (times + shifts_of(symbol, times)) // DAY
            kept[rows], divided[rows] = _factors(days, table.figures["close"][rows], by_symbol[symbol], shown)
    figures = {
        name: column * divided if name == "volume" else column * kept / divided
        for name, column in table.figures.items()
    }
    return Table(table.times, table.codes, table.names, figures)


def _factors(days: Ints, closes: Floats, events: list[Event], shown: str) -> tuple[Floats, Floats]:
    """By row of one symbol: what dividends leave of a price, and the shares that splits made of one."""
    kept, divided = np.ones(len(days)), np.ones(len(days))
    for event in events:
        before = int(np.searchsorted(days, event.day))
        if not before:
            continue
        if event.kind == "split":
            divided[:before] *= event.value
            continue
        new_shares = np.prod([one.value for one in events if one.kind == "split" and one.day == event.day])
        paid, price = event.value * float(new_shares), float(closes[before - 1])
        if paid >= price:
            reason = f"a dividend of {event.value:g} is not less than the close of {price:g} before it"
            raise FeedError(reason, shown, event.line)
        kept[:before] *= 1 - paid / price
    return kept, divided
