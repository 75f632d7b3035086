"""Made-up bars."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Final

import numpy as np
from pydantic import AfterValidator, Field

from trading.engine.bars import Bar, Timeframe, to_datetime, to_nanos
from trading.engine.errors import InvalidValue
from trading.feeds.base import IFeed, Pace, read_pace
from trading.feeds.markets import LAST_YEAR, Block, Path, blocks

#: Where a feed at pace ``max`` starts, so that it gives the same bars on any day: the first session of 2024.
FIXED_START: Final = "2024-01-02T14:30:00Z"
_EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST: Final = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)


def read_start(text: str) -> int:
    """An ISO 8601 time with its zone in nanoseconds, UTC; raises `InvalidValue` for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is no time: write it as {FIXED_START}") from None
    nanos = to_nanos(moment)
    if not _EARLIEST <= moment < _LATEST:
        raise InvalidValue(f"{text!r} must lie between {_EARLIEST.year} and {_LATEST.year}")
    return nanos


def _readable(text: str) -> str:
    read_start(text)
    return text


Start = Annotated[str, AfterValidator(_readable)]


class SyntheticFeed(IFeed):
    """Seeded, reproducible bars of any symbols: the same seed, start and timeframe give the same bars, whatever else is
    in the universe and however many are taken.

    ``bars`` per symbol, endless without it; ``start`` is a time with its zone; ``volatility`` a year's, 0.25 is 25
    percent. Without a ``start``, a feed at pace ``max`` starts at a fixed time, and any other with the last bar that is
    over by now, cut to the timeframe, so that at ``1x`` a bar is given when it has closed. See `trading.feeds.markets`
    for the sessions.
    """

    synthetic = True

    def __init__(
        self,
        universe: Sequence[str],
        seed: Annotated[int, Field(ge=0, lt=2**63)] = 1,
        timeframe: Timeframe = Timeframe.MINUTE,
        pace: Pace = "max",
        bars: Annotated[int, Field(gt=0, le=100_000_000)] | None = None,
        start: Start | None = None,
        volatility: Annotated[float, Field(gt=0, le=5)] = 0.25,
    ) -> None:
        super().__init__(universe)
        self.seed = seed
        self.timeframe: Timeframe = Timeframe(timeframe)
        self.interval = self.timeframe.nanos
        self.pace = read_pace(pace)
        self.limit = bars
        self.endless = bars is None
        self.volatility = volatility
        self._start = None if start is None else read_start(start)

    def prepare(self) -> None:
        """Fix the start, once."""
        if self._start is None:
            now = time.time_ns() // self.interval * self.interval - self.interval
            self._start = read_start(FIXED_START) if self.pace is None else now

    def bars(self) -> Iterator[Bar]:
        paths = [Path(self.seed, symbol, self.volatility) for symbol in self.universe]
        return chain.from_iterable(self._bars_of(block, part, paths) for block, part in self._blocks())

    def _blocks(self) -> Iterator[tuple[Block, slice]]:
        """Each block with the part of it that is not over at the start and lies within the limit."""
        self.prepare()
        start, left = self._start or 0, self.limit
        for block in blocks(self.timeframe, start):
            first = int(np.searchsorted(block.times + self.interval, start, side="right"))
            last = len(block.times) if left is None else min(len(block.times), first + left)
            yield block, slice(first, last)
            if left is not None:
                left -= last - first
                if left <= 0:
                    return

    def _bars_of(self, block: Block, part: slice, paths: list[Path]) -> Iterator[Bar]:
        """A block's bars, time by time and within one time symbol by symbol."""
        columns = np.array([path.block(block) for path in paths])[:, :, part]
        figures = (column.T.ravel().tolist() for column in columns.transpose(1, 0, 2))
        times = block.times[part]
        symbols = self.universe * len(times)
        return map(Bar, symbols, np.repeat(times, len(self.universe)).tolist(), *figures)

    def summary(self) -> dict[str, Any]:
        first, last, count = None, None, 0
        for block, part in self._blocks():
            times = block.times[part]
            if len(times):
                first = first or to_datetime(int(times[0])).isoformat()
                last = to_datetime(int(times[-1])).isoformat()
                count += len(times)
            if self.endless and first:
                break
        return {
            "bars": None if self.endless else count * len(self.universe),
            "symbols": list(self.universe),
            "first": first,
            "last": None if self.endless else last,
            "timeframe": self.timeframe,
            "missing_minutes": dict.fromkeys(self.universe, 0),
        }
