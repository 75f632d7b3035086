"""Longer bars from shorter ones, as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from trading.engine.bars import Bar


class BarBuilder:
    """Gathers bars of ``step`` ns into bars of ``interval`` ns, which start at multiples of it.

    A bar is complete when its last part has come, when a part of a later one has, or when `flush` says that its time is
    over: parts without a trade are never sent. What comes for a bar that was given out already is left out.
    ``clock`` tells seconds.
    """

    def __init__(self, step: int, interval: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.step = step
        self.interval = interval
        self._open: dict[str, Bar] = {}
        self._given: dict[str, int] = {}
        self._heard: dict[str, float] = {}
        self._clock = clock

    def take(self, part: Bar) -> list[Bar]:
        """The bars that this part completes: none, one, or two where it is whole in itself."""
        symbol, start = part.symbol, part.time - part.time % self.interval
        if start <= self._given.get(symbol, -1):
            return []
        found = self._open.get(symbol)
        done = []
        if found is not None and found.time < start:
            done.append(self._give(symbol))
            found = None
        self._open[symbol] = merged(found, part, start)
        self._heard[symbol] = self._clock()
        if part.time + self.step >= start + self.interval:
            done.append(self._give(symbol))
        return done

    def flush(self, now: int, quiet: float = 0.0) -> list[Bar]:
        """The bars whose time is over at ``now`` (ns) and of which nothing has come for ``quiet`` seconds.

        Parts that were missed come in a burst, long after their time.
        """
        heard = self._clock() - quiet
        over = [
            symbol
            for symbol, bar in self._open.items()
            if bar.time + self.interval <= now and self._heard[symbol] <= heard
        ]
        return [self._give(symbol) for symbol in over]

    def _give(self, symbol: str) -> Bar:
        bar = self._open.pop(symbol)
        self._given[symbol] = bar.time
        return bar


def can_be(bar: Bar) -> bool:
    """Whether all prices are prices, and none crosses another. A figure that is no number would turn every limit off
    that is held against it."""
    opening, closing = sorted((bar.open, bar.close))
    return 0 < bar.low <= opening <= closing <= bar.high < inf and 0 <= bar.volume < inf


def merged(found: Bar | None, part: Bar, start: int) -> Bar:
    """The bar that began at ``start``, with one more part of it."""
    if found is None:
        return Bar(part.symbol, start, part.open, part.high, part.low, part.close, part.volume, part.bid, part.ask)
    high, low = max(found.high, part.high), min(found.low, part.low)
    volume = found.volume + part.volume
    return Bar(part.symbol, start, found.open, high, low, part.close, volume, part.bid, part.ask)
