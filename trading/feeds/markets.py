"""When a made-up market trades, and how its prices move: the arithmetic of `SyntheticFeed`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from trading.engine.bars import NANOS_PER_SECOND, Timeframe, to_datetime, to_nanos
from trading.feeds.gaps import EXCHANGE_ZONE
from trading.feeds.tables import Floats, Ints

TRADING_DAYS_PER_YEAR: Final = 252
#: 09:30 to 16:00.
SESSION_SECONDS: Final = 23_400
#: Part of the distance from a symbol's usual price that is made good at each opening, so that no price drifts away.
PULL: Final = 0.02
TICKS_PER_UNIT: Final = 100
#: Stamps in nanoseconds end in 2262.
LAST_YEAR: Final = 2200

_SECONDS_IN_BLOCK: Final = 300
_DAYS_IN_BLOCK: Final = 21


class Block(NamedTuple):
    """Bars that are made in one go: the ``times`` of their starts (n, ns UTC), how ``lively`` each is (n, its mean
    square is 1; it scales volatility and volume), the part of a ``day``'s trading in a bar, and whether the market was
    closed before them (``gap``)."""

    times: Ints
    lively: Floats
    day: float
    gap: bool


def blocks(timeframe: Timeframe, start: int) -> Iterator[Block]:
    """Blocks until the year `LAST_YEAR`; the first is the one in which ``start`` (ns, UTC) lies, or the next after it.

    Bars of a second follow each other round the clock, so that something moves at any hour; the others lie in sessions
    from 09:30 to 16:00 New York from Monday to Friday, and bars of a day are stamped with its midnight there.
    """
    if timeframe is Timeframe.SECOND:
        return _seconds(start)
    first = to_datetime(start).astimezone(EXCHANGE_ZONE).date()
    return _days(first) if timeframe is Timeframe.DAY else _sessions(first, timeframe)


def _seconds(start: int) -> Iterator[Block]:
    lively = np.ones(_SECONDS_IN_BLOCK)
    start -= start % NANOS_PER_SECOND
    while True:
        times = start + np.arange(_SECONDS_IN_BLOCK, dtype=np.int64) * NANOS_PER_SECOND
        yield Block(times, lively, 1 / SESSION_SECONDS, gap=False)
        start += _SECONDS_IN_BLOCK * NANOS_PER_SECOND


def _sessions(first: date, timeframe: Timeframe) -> Iterator[Block]:
    steps = np.arange(0, SESSION_SECONDS, timeframe.seconds, dtype=np.int64) * NANOS_PER_SECOND
    lively = _u_shape(len(steps))
    for day in _weekdays(first):
        yield Block(_stamp(day, time(9, 30)) + steps, lively, timeframe.seconds / SESSION_SECONDS, gap=True)


def _days(first: date) -> Iterator[Block]:
    days = _weekdays(first)
    while stamps := [_stamp(day, time()) for day in islice(days, _DAYS_IN_BLOCK)]:
        yield Block(np.array(stamps, np.int64), np.ones(len(stamps)), 1.0, gap=True)


def _weekdays(first: date) -> Iterator[date]:
    while first.year <= LAST_YEAR:
        if first.weekday() < 5:
            yield first
        first += timedelta(days=1)


def _stamp(day: date, at: time) -> int:
    return to_nanos(datetime.combine(day, at, EXCHANGE_ZONE).astimezone(UTC))


def _u_shape(bars: int) -> Floats:
    """A day is busiest after its opening, calm at noon, and busy again before its close."""
    part = (np.arange(bars) + 0.5) / bars
    shape = 0.6 + 1.2 * np.exp(-part / 0.08) + 0.7 * np.exp(-(1 - part) / 0.08)
    normal: Floats = shape / np.sqrt(np.mean(shape**2))
    return normal


class Path:
    """The made-up price of one symbol, block after block.

    Log prices walk, with bursts in the size of their steps; what a symbol does depends on ``seed`` and its own name
    alone. ``volatility`` is the usual standard deviation of a year's log return (0.25 is 25 percent), of which each has
    somewhat more or less.
    """

    def __init__(self, seed: int, symbol: str, volatility: float) -> None:
        name = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8])
        self._random = np.random.default_rng([seed, name])
        self._usual = float(np.log(self._random.uniform(20, 400)))
        self._log_price = self._usual
        self._daily = volatility / float(np.sqrt(TRADING_DAYS_PER_YEAR)) * self._random.uniform(0.7, 1.4)
        self.volatility = float(self._daily * np.sqrt(TRADING_DAYS_PER_YEAR))
        self._daily_volume = float(np.exp(self._random.normal(15.5, 0.8)))

    def block(self, block: Block) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Open, high, low, close (quote currency, whole ticks) and volume (units) of its bars."""
        count = len(block.times)
        steps, above, below, jump, busy = self._random.standard_normal((5, count))
        size = self._daily * np.sqrt(block.day) * block.lively
        self._open(block.gap, float(jump[0]))
        ends = self._log_price + np.cumsum(size * steps)
        starts = np.concatenate(([self._log_price], ends[:-1])) + 0.1 * size * jump
        self._log_price = float(ends[-1])
        high = np.maximum(starts, ends) + 0.4 * size * np.abs(above)
        low = np.minimum(starts, ends) - 0.4 * size * np.abs(below)
        volume = self._daily_volume * block.day * block.lively**2 * np.exp(0.4 * busy)
        return _price(starts), _price(high), _price(low), _price(ends), np.maximum(np.round(volume), 1.0)

    def _open(self, gap: bool, surprise: float) -> None:
        """Pull the price back towards the usual one; after a night, surprise too."""
        self._log_price += PULL * (self._usual - self._log_price)
        if gap:
            self._log_price += 0.4 * self._daily * surprise


def _price(logs: Floats) -> Floats:
    """Whole ticks as the floats that are nearest to them, and never below one tick."""
    return np.maximum(np.round(np.exp(logs) * TICKS_PER_UNIT), 1.0) / TICKS_PER_UNIT
