"""Recorded option quotes, beside the recorded bars of what the options are on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from trading.engine.bars import to_nanos
from trading.engine.errors import InvalidValue
from trading.engine.instruments import AssetClass, Right, instrument_of, option_symbol
from trading.feeds.base import FeedError, Pace
from trading.feeds.folders import read_bars
from trading.feeds.merging import merged
from trading.feeds.replay import PROJECT, ReplayFeed
from trading.feeds.tables import HIGHEST_PRICE, PART, PRICES, Table

_COLUMNS: Final = ("timestamp", "underlying", "right", "strike", "expiry", "bid", "bid_size", "ask", "ask_size")
_NAMED: Final = 20


class QuotesFeed(ReplayFeed):
    """The quotes of a CSV file as bars of the options, merged in time with the bars of their underlyings.

    ``quotes`` names a file with the columns timestamp, underlying, right (call or put), strike, expiry (2014-06-21),
    bid, bid_size, ask and ask_size, in order of time; ``path`` the file or folder of bars. Both are absolute or
    relative to the project's folder. The universe lists the underlyings and the options (``TWX140621C00070000``) that
    are wanted; each must occur.

    A quote becomes a bar whose four prices are the middle of bid and ask, with the quote itself, and without volume:
    nothing was traded. A bid of zero is no bid. Within one time an underlying that stands first in the universe comes
    first, so that a strategy knows it when it sees the options.
    """

    def __init__(self, universe: Sequence[str], quotes: str, path: str, speed: Pace = "max") -> None:
        super().__init__(universe, path, speed)
        self.quotes = quotes

    def _paths(self) -> list[Path]:
        return [PROJECT / self.quotes, *super()._paths()]

    def _look(self) -> None:
        next(read_quotes(PROJECT / self.quotes, self.quotes, []), None)
        super()._look()

    def _read(self) -> Iterator[Table]:
        options = [name for name in self.universe if instrument_of(name).asset is AssetClass.OPTION]
        others = [name for name in self.universe if name not in options]
        streams = [read_quotes(PROJECT / self.quotes, self.quotes, options)]
        if others:
            streams.append(read_bars(PROJECT / self.path, self.path, others))
        return merged(streams, self.universe)


class _Quote(NamedTuple):
    time: int
    symbol: str
    bid: float
    ask: float


def read_quotes(path: Path, shown: str, universe: Sequence[str]) -> Iterator[Table]:
    """The universe's quotes as rows of bars in the order of the file; ``names`` is the universe.

    All rows are checked; raises `FeedError`, naming the line, and for an option that the file does not have.
    """
    rank_of = {symbol: rank for rank, symbol in enumerate(universe)}
    held: dict[str, None] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            quotes = _checked(csv.DictReader(file), shown)
            while found := list(islice(quotes, PART)):
                held |= dict.fromkeys(quote.symbol for quote in found)
                taken = [quote for quote in found if quote.symbol in rank_of]
                yield _as_bars(taken, [rank_of[quote.symbol] for quote in taken], universe)
    except FileNotFoundError:
        raise FeedError("there is no such file of quotes", shown) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"cannot be read: {error}", shown) from error
    if missing := [symbol for symbol in universe if symbol not in held]:
        some = ", ".join(list(held)[:_NAMED]) or "no rows"
        raise FeedError(f"has no quote of {', '.join(missing[:_NAMED])}; it holds {some}", shown)


def _as_bars(quotes: Sequence[_Quote], codes: Sequence[int], universe: Sequence[str]) -> Table:
    bid = np.array([quote.bid for quote in quotes], np.float64)
    ask = np.array([quote.ask for quote in quotes], np.float64)
    middle = (bid + ask) / 2
    return Table(
        np.array([quote.time for quote in quotes], np.int64),
        np.array(codes, np.int64),
        list(universe),
        {**dict.fromkeys(PRICES, middle), "volume": np.zeros(len(quotes)), "bid": bid, "ask": ask},
    )


def _checked(rows: csv.DictReader[str], shown: str) -> Iterator[_Quote]:
    """The quotes, each right in itself and beside those before it."""
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise FeedError(f"has no column {', '.join(missing)}; needed are {', '.join(_COLUMNS)}", shown, 1)
    now, seen = 0, set[str]()
    for row in rows:
        try:
            quote = _quote(row)
            if quote.time < now:
                raise ValueError("timestamp is earlier than in the row before")
            if quote.time > now:
                now = quote.time
                seen.clear()
            if quote.symbol in seen:
                raise ValueError(f"timestamp and option ({quote.symbol}) are those of an earlier row")
            seen.add(quote.symbol)
        except ValueError as error:
            raise FeedError(str(error), shown, rows.line_num) from error
        yield quote


def _quote(row: dict[str, str]) -> _Quote:
    if any(row[name] is None for name in _COLUMNS):
        raise ValueError("has fewer cells than there are columns")
    bid, ask = _figure(row, "bid"), _figure(row, "ask")
    _figure(row, "bid_size"), _figure(row, "ask_size")
    if ask <= 0:
        raise ValueError("ask is not more than zero")
    if bid > ask:
        raise ValueError("bid is more than ask")
    time = _time(row["timestamp"])
    return _Quote(time, _symbol(row["underlying"], row["right"], row["strike"], row["expiry"]), bid, ask)


def _figure(row: dict[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        raise ValueError(f"{name} {row[name]!r} is not a number") from None
    if not (isfinite(value) and 0 <= value <= HIGHEST_PRICE):
        raise ValueError(f"{name} must lie between 0 and {HIGHEST_PRICE:.0f}, not {row[name]}")
    return value


@lru_cache(maxsize=1024)
def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {text!r} is not a time") from None
    if moment.tzinfo is None:
        raise ValueError(f"timestamp {text!r} has no time zone: write {text}Z for UTC")
    return to_nanos(moment)


@lru_cache(maxsize=65_536)
def _symbol(underlying: str, right: str, strike: str, expiry: str) -> str:
    if right not in tuple(Right):
        raise ValueError(f"right {right!r} must be one of {', '.join(Right)}")
    try:
        day = date.fromisoformat(expiry)
    except ValueError:
        raise ValueError(f"expiry {expiry!r} is no day: write 2014-06-21") from None
    try:
        price = Decimal(strike)
    except InvalidOperation:
        raise ValueError(f"strike {strike!r} is not a number") from None
    if not (price.is_finite() and 0 < price < 100_000 and price * 1000 % 1 == 0):
        raise ValueError(f"strike must lie between 0 and 100000 in steps of 0.001, not {strike}")
    symbol = option_symbol(underlying, day, Right(right), price)
    try:
        named = instrument_of(symbol).option
    except InvalidValue as error:
        raise ValueError(str(error)) from None
    if named is None or named.underlying != underlying:
        raise ValueError(f"underlying {underlying!r} is no symbol of up to six capital letters")
    return symbol
