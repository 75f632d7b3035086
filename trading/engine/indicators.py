"""Indicators: figures about the past that are kept up to date bar by bar, in constant time.

Each is a `msgspec.Struct` that holds its settings and its memory, so that it can lie in a strategy's ``state`` and
comes back exactly from JSON. ``update`` takes the next observation and returns ``value``, which is None for as long as
too little is known.

Moving windows keep integers (steps of 1e-8) and their exact sums: what left the window leaves no trace, however many
bars have passed. Averages of Wilder's and exponential ones forget by themselves, so rounding does not add up in them.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import msgspec

from trading.engine.bars import Bar
from trading.engine.calendars import calendar_of
from trading.engine.errors import InvalidValue
from trading.engine.ticks import TICKS_PER_UNIT, ticks

_SQUARED: Final = TICKS_PER_UNIT * TICKS_PER_UNIT


class Indicator(msgspec.Struct):
    """Over ``period`` observations; ``value`` is None until they are known."""

    period: int
    value: float | None = None

    def __post_init__(self) -> None:
        if self.period < 1:
            raise InvalidValue(f"period must be at least 1, not {self.period}")

    @property
    def ready(self) -> bool:
        return self.value is not None


class Window(msgspec.Struct, gc=False):
    """The last integers; ``at`` is the place of the oldest once there are as many as it may hold."""

    values: list[int] = []
    at: int = 0

    def push(self, value: int, size: int) -> int:
        """Take ``value`` in; returns what had to leave for it, 0 for nothing."""
        values, at = self.values, self.at
        if len(values) < size:
            values.append(value)
            return 0
        oldest = values[at]
        values[at] = value
        self.at = at + 1 if at + 1 < size else 0
        return oldest


class _Windowed(Indicator):
    """What looks at the last ``period`` integers."""

    window: Window = msgspec.field(default_factory=Window)

    @property
    def _full(self) -> bool:
        return len(self.window.values) == self.period


class Sma(_Windowed):
    """Simple moving average: the mean of the last ``period`` values."""

    total: int = 0

    def update(self, value: float) -> float | None:
        step = ticks(value)
        self.total += step - self.window.push(step, self.period)
        if self._full:
            self.value = self.total / (self.period * TICKS_PER_UNIT)
        return self.value


class Bollinger(_Windowed):
    """Bollinger bands: ``value`` is the mean of the last ``period`` values, ``upper`` and ``lower`` lie ``width``
    population standard deviations from it."""

    width: float = 2.0
    upper: float | None = None
    lower: float | None = None
    total: int = 0
    squares: int = 0

    def update(self, value: float) -> float | None:
        step, n = ticks(value), self.period
        oldest = self.window.push(step, self.period)
        self.total += step - oldest
        self.squares += step * step - oldest * oldest
        if self._full:
            mean = self.total / (n * TICKS_PER_UNIT)
            reach = self.width * sqrt((n * self.squares - self.total * self.total) / _SQUARED) / n
            self.value, self.upper, self.lower = mean, mean + reach, mean - reach
        return self.value


class ZScore(Indicator):
    """How many population standard deviations the newest value lies above the mean of the last ``period`` values.

    None also while all of them are equal. From exact sums: (n x - S) / sqrt(n Q - S^2). It keeps its window itself,
    ``at`` being the place of the oldest value: what a strategy asks for in every bar should not cost three calls.
    """

    values: list[int] = []
    at: int = 0
    total: int = 0
    squares: int = 0

    def update(self, value: float) -> float | None:
        values, n = self.values, self.period
        step = round(value * TICKS_PER_UNIT)
        oldest = 0
        if len(values) < n:
            values.append(step)
        else:
            at = self.at
            oldest = values[at]
            values[at] = step
            self.at = at + 1 if at + 1 < n else 0
        total = self.total = self.total + step - oldest
        squares = self.squares = self.squares + step * step - oldest * oldest
        spread = n * squares - total * total
        z = self.value = (n * step - total) / sqrt(spread) if spread > 0 and len(values) == n else None
        return z


class RateOfChange(_Windowed):
    """Return over ``period`` steps: the newest value by the one ``period`` values before it, less one."""

    def update(self, value: float) -> float | None:
        step = ticks(value)
        full = self._full
        before = self.window.push(step, self.period)
        if full:
            self.value = step / before - 1.0
        return self.value


class Ema(Indicator):
    """Exponential moving average: e += 2 / (period + 1) x (value - e), from the mean of the first ``period`` values."""

    count: int = 0
    average: float = 0.0

    def update(self, value: float) -> float | None:
        if self.count < self.period:
            self.count += 1
            self.average += (value - self.average) / self.count
        else:
            self.average += 2.0 / (self.period + 1) * (value - self.average)
        if self.count == self.period:
            self.value = self.average
        return self.value


class Rsi(Indicator):
    """Relative strength index: 100 x gains / (gains + losses), each averaged in Wilder's way; 50 without any change.

    J. W. Wilder, New Concepts in Technical Trading Systems (1978): an average begins as the mean of the first
    ``period`` figures and then moves by 1 / ``period`` of its distance to the next one.
    """

    count: int = 0
    last: float = 0.0
    gains: float = 0.0
    losses: float = 0.0

    def update(self, value: float) -> float | None:
        change = value - self.last
        self.last = value
        self.count += 1
        seen = self.count - 1
        if not seen:
            return None
        weight = min(seen, self.period)
        self.gains += (max(change, 0.0) - self.gains) / weight
        self.losses += (max(-change, 0.0) - self.losses) / weight
        if seen >= self.period:
            moves = self.gains + self.losses
            self.value = 100.0 * self.gains / moves if moves else 50.0
        return self.value


class Atr(Indicator):
    """Average true range, in Wilder's way (see `Rsi`), in the quote currency per unit.

    The true range is that of the bar and the close before it: max(high, last close) - min(low, last close).
    """

    count: int = 0
    last: float = 0.0
    average: float = 0.0

    def update(self, bar: Bar) -> float | None:
        high, low = bar.high, bar.low
        reach = max(high, self.last) - min(low, self.last) if self.count else high - low
        self.last = bar.close
        self.count += 1
        self.average += (reach - self.average) / min(self.count, self.period)
        if self.count >= self.period:
            self.value = self.average
        return self.value


class Donchian(Indicator):
    """Donchian channel: ``upper`` is the highest high and ``lower`` the lowest low of the last ``period`` bars, and
    ``value`` their middle.

    ``highs`` and ``lows`` hold only what can still become an extreme, as ``[bar number, price]``, best first: each bar
    enters and leaves them once.
    """

    count: int = 0
    highs: list[tuple[int, float]] = []
    lows: list[tuple[int, float]] = []
    upper: float | None = None
    lower: float | None = None

    def update(self, bar: Bar) -> float | None:
        number, highs, lows = self.count, self.highs, self.lows
        self.count = number + 1
        while highs and highs[-1][1] <= bar.high:
            highs.pop()
        highs.append((number, bar.high))
        while lows and lows[-1][1] >= bar.low:
            lows.pop()
        lows.append((number, bar.low))
        oldest = number - self.period + 1
        if oldest < 0:
            return None
        if highs[0][0] < oldest:
            highs.pop(0)
        if lows[0][0] < oldest:
            lows.pop(0)
        self.upper, self.lower = highs[0][1], lows[0][1]
        self.value = (self.upper + self.lower) / 2.0
        return self.value


class RollingVwap(_Windowed):
    """Volume-weighted average of the typical price (high + low + close) / 3 over the last ``period`` bars; None while
    nothing was traded in them."""

    volumes: Window = msgspec.field(default_factory=Window)
    traded: int = 0
    volume: int = 0

    def update(self, bar: Bar) -> float | None:
        volume = ticks(bar.volume)
        traded = _typical(bar) * volume
        self.traded += traded - self.window.push(traded, self.period)
        self.volume += volume - self.volumes.push(volume, self.period)
        known = self.volume and self._full
        self.value = self.traded / (3 * TICKS_PER_UNIT * self.volume) if known else None
        return self.value


class Vwap(msgspec.Struct):
    """Volume-weighted average of the typical price since the session's start; None before anything was traded in it.

    A session is what lies between two closes of ``calendar`` (see `trading.engine.calendars`), so that what is traded
    before the opening belongs to the session that it leads to.
    """

    calendar: str = "XNYS"
    value: float | None = None
    ends: int = 0
    traded: int = 0
    volume: int = 0

    @property
    def ready(self) -> bool:
        return self.value is not None

    def update(self, bar: Bar) -> float | None:
        if bar.time >= self.ends:
            self.ends = calendar_of(self.calendar).close_after(bar.time)
            self.traded = self.volume = 0
        volume = ticks(bar.volume)
        self.traded += _typical(bar) * volume
        self.volume += volume
        self.value = self.traded / (3 * TICKS_PER_UNIT * self.volume) if self.volume else None
        return self.value


def _typical(bar: Bar) -> int:
    """Three times the typical price, in steps of 1e-8."""
    return ticks(bar.high) + ticks(bar.low) + ticks(bar.close)
