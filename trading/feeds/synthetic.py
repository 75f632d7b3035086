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
from trading.engine.calendars import calendar_of
from trading.engine.errors import InvalidValue
from trading.engine.instruments import instrument_of
from trading.feeds.base import FeedError, IFeed, Pace, read_pace
from trading.feeds.chains import OptionPath
from trading.feeds.markets import LAST_YEAR, Block, Path, blocks

#: Where a feed at pace ``max`` starts, so that it gives the same bars on any day: the first session of 2024.
FIXED_START: Final = "2024-01-02T14:30:00Z"
_EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST: Final = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
_NEVER: Final = 2**63 - 1


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

    An option (``ACME240216C00100000``) is worth what a model makes of its underlying, which must be in the universe
    too; it is quoted at each close, and its bars end with it. See `trading.feeds.chains`.
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
        self._ends: dict[str, int] = {}

    def begin(self, at: int) -> None:
        if self._start is None:
            self._start = at

    def prepare(self) -> None:
        """Fix the start, once; raises `FeedError` for an option without its underlying, or expired by then."""
        if self._start is None:
            now = time.time_ns() // self.interval * self.interval - self.interval
            self._start = read_start(FIXED_START) if self.pace is None else now
        for symbol in self.universe:
            instrument = instrument_of(symbol)
            if instrument.option is not None:
                self._ends[symbol] = calendar_of(instrument.calendar).close_by(instrument.option.expiry)
                self._check_option(symbol, instrument.option.underlying, self._start)

    def _check_option(self, symbol: str, underlying: str, start: int) -> None:
        if underlying not in self.universe:
            raise FeedError(f"{symbol} needs its underlying {underlying} in the universe")
        if self._ends[symbol] <= start:
            raise FeedError(f"{symbol} has expired by the feed's start {to_datetime(start).isoformat()}")

    def bars(self) -> Iterator[Bar]:
        paths = [self._path(symbol) for symbol in self.universe]
        bars = chain.from_iterable(self._bars_of(block, part, paths) for block, part in self._blocks())
        ends = self._ends
        return (bar for bar in bars if bar.time < ends.get(bar.symbol, _NEVER)) if ends else bars

    def _path(self, symbol: str) -> Path | OptionPath:
        terms = instrument_of(symbol).option
        if terms is None:
            return Path(self.seed, symbol, self.volatility)
        underlying = Path(self.seed, terms.underlying, self.volatility)
        return OptionPath(underlying, terms, self._ends[symbol], self.interval)

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

    def _bars_of(self, block: Block, part: slice, paths: Sequence[Path | OptionPath]) -> Iterator[Bar]:
        """A block's bars, time by time and within one time symbol by symbol."""
        made = [path.block(block) for path in paths]
        width = max(map(len, made))
        unknown = np.zeros(len(block.times))
        columns = np.array([[*one, *[unknown] * (width - len(one))] for one in made])[:, :, part]
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
                count += sum(int(np.searchsorted(times, self._ends.get(one, _NEVER))) for one in self.universe)
            if self.endless and first:
                break
        return {
            "bars": None if self.endless else count,
            "symbols": list(self.universe),
            "first": first,
            "last": None if self.endless else last,
            "timeframe": self.timeframe,
            "missing_minutes": dict.fromkeys(self.universe, 0),
        }
