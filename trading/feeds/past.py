"""Bars that are past when a session begins to see live ones: they fill the windows of its strategy."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Final, Protocol

from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_nanos
from trading.engine.errors import Transient
from trading.feeds.building import BarBuilder, can_be, merged

log = logging.getLogger(__name__)

_TRIES: Final = 3
_RETRY_SECONDS: Final = 2.0
_DAY: Final = 24 * 3600 * NANOS_PER_SECOND
#: The shortest regular session, that of a half day, and the longest row of days without one.
_SESSION: Final = int(3.5 * 3600 * NANOS_PER_SECOND)
_CLOSED_DAYS: Final = 4


class History(Protocol):
    """A venue's recorded bars."""

    def history(self, symbol: str, timeframe: Timeframe, since: int) -> Sequence[Bar]:
        """The bars of this length that began at ``since`` (ns) or later, oldest first, or shorter ones that make them
        up; the last may not be over yet. Blocks; raises `trading.engine.errors.VenueError`."""


@dataclass(frozen=True)
class Past:
    """``over`` are the bars that had ended when the venue was ``asked`` (ns), in the order of a feed; ``under_way``
    what there was of those that had not, by their symbols."""

    asked: int
    over: list[Bar]
    under_way: dict[str, Bar]

    def begin(self, builder: BarBuilder, waiting: Sequence[Bar]) -> list[Bar]:
        """Let a builder begin with what is under way; of the parts that are ``waiting`` for it, those that this does
        not hold already."""
        if builder.step == builder.interval:
            return list(waiting)
        for bar in self.under_way.values():
            builder.take(bar)
        return [one for one in waiting if one.symbol not in self.under_way or one.time + builder.step > self.asked]


def past_of(source: History, symbols: Sequence[str], timeframe: Timeframe, count: int, last: Mapping[str, int]) -> Past:
    """The last ``count`` bars of each symbol; of one with a ``last`` bar (its stamp, -1 where it has none) all since
    that one. Raises what the venue raises, a `Transient` error once it has been raised three times."""
    asked, interval = to_nanos(datetime.now(UTC)), timeframe.nanos
    over: list[tuple[int, int, Bar]] = []
    under_way: dict[str, Bar] = {}
    for rank, symbol in enumerate(symbols):
        seen = last.get(symbol, -1)
        since = seen + interval if seen >= 0 else asked - _reach(count, interval)
        found = _whole(_asked(source, symbol, timeframe, since), since, interval)
        ended = [bar for bar in found if bar.time + interval <= asked]
        under_way |= {bar.symbol: bar for bar in found[len(ended) :]}
        wanted = ended if seen >= 0 else ended[max(len(ended) - count, 0) :]
        over += [(bar.time, rank, bar) for bar in wanted]
    return Past(asked, [bar for _, _, bar in sorted(over, key=lambda one: one[:2])], under_way)


def _asked(source: History, symbol: str, timeframe: Timeframe, since: int) -> Sequence[Bar]:
    for tries in range(1, _TRIES + 1):
        try:
            return source.history(symbol, timeframe, since)
        except Transient as error:
            if tries == _TRIES:
                raise
            log.warning("the past bars of %s are asked for again: %s", symbol, error)
            time.sleep(_RETRY_SECONDS)
    raise AssertionError


def _whole(parts: Sequence[Bar], since: int, interval: int) -> list[Bar]:
    """Bars that start at multiples of ``interval``, of what a venue stamps in its own zone or gives in parts."""
    bars: dict[int, Bar] = {}
    for part in parts:
        start = part.time - part.time % interval
        if start >= since - since % interval and can_be(part):
            bars[start] = merged(bars.get(start), part, start)
    return list(bars.values())


def _reach(count: int, interval: int) -> int:
    """How far back (ns) so many bars of a market that has its nights and holidays surely begin."""
    days = ceil(count * interval / (_DAY if interval >= _DAY else _SESSION))
    return (days * 7 // 5 + 1 + _CLOSED_DAYS) * _DAY
