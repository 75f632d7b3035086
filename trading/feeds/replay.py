"""Recorded bars from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe
from trading.feeds.adjusting import Adjustment, read_events
from trading.feeds.base import FeedError, IFeed, Pace, read_pace
from trading.feeds.folders import look_at, read_bars, size_of
from trading.feeds.gaps import Regularity
from trading.feeds.resampling import BarLength, check_resampling, read_timeframe, resampled
from trading.feeds.spool import Spool
from trading.feeds.survey import summary_of
from trading.feeds.tables import FIGURES, QUOTES, Bools, Table

PROJECT: Final = Path(__file__).resolve().parents[2]
#: Bytes that are read within half a second.
AT_ONCE: Final = 4_000_000
_TIMEFRAMES: Final = {timeframe.nanos: timeframe for timeframe in Timeframe}


class ReplayFeed(IFeed):
    """The bars of a CSV or Parquet file, or of a folder of them, with the columns timestamp, symbol, open, high, low,
    close and volume, and bid and ask where the quote at each close is known.

    ``path`` and ``adjustments`` are absolute or relative to the project's folder. Columns may stand in any order,
    further ones are ignored. Rows are in order of time; timestamps carry their zone. Only the universe's symbols are
    taken, and each must occur; the rows of others are checked all the same. An open or close outside of [low, high] is
    kept as recorded, for rounded and adjusted prices have them, and counted in the summary.

    ``adjustments`` names a file of splits and dividends (`trading.feeds.adjusting`); ``timeframe``, such as ``5Min``,
    makes longer bars of what was recorded (`trading.feeds.resampling`). Without it the length of a bar is the most
    common step between two bars of one symbol.
    """

    def __init__(
        self,
        universe: Sequence[str],
        path: str,
        speed: Pace = "max",
        timeframe: BarLength | None = None,
        adjustments: str | None = None,
    ) -> None:
        super().__init__(universe)
        self.path = path
        self.pace = read_pace(speed)
        self.adjustments = adjustments
        self._length = None if timeframe is None else read_timeframe(timeframe)
        self._spool = Spool(self.universe)
        self._summary: dict[str, Any] = {}

    def prepare(self) -> None:
        regular = Regularity(len(self.universe))
        spool = Spool.of(regular.watched(self._read()), self.universe)
        self.interval = regular.interval
        if self.adjustments is not None:
            spool = self._adjusted(spool, self.adjustments, regular.intraday)
        if self._length is not None and self._length != self.interval:
            check_resampling(self._length, self.interval, self.path)
            spool = Spool.of(resampled(spool.tables(), self._length, regular.intraday), self.universe)
            if not spool.rows:
                raise FeedError("has no bar within a regular session, of which bars of a day are made", self.path)
            self.interval = self._length
        self.timeframe = _TIMEFRAMES.get(self.interval)
        self._spool = spool
        length = self.timeframe or f"{self.interval / NANOS_PER_SECOND:g} seconds"
        self._summary = {"timeframe": length, **summary_of(spool, self.universe, self.interval)}

    def glance(self) -> None:
        if sum(map(size_of, self._paths())) <= AT_ONCE:
            self.prepare()
        else:
            self._look()

    def _paths(self) -> list[Path]:
        return [PROJECT / self.path]

    def _look(self) -> None:
        look_at(PROJECT / self.path, self.path)
        if self.adjustments is not None:
            read_events(PROJECT / self.adjustments, self.adjustments)

    def _adjusted(self, spool: Spool, shown: str, intraday: Bools) -> Spool:
        events = read_events(PROJECT / shown, shown)
        adjustment = Adjustment(spool.tables(), self.universe, intraday, events, shown)
        return Spool.of(map(adjustment.made, spool.tables()), self.universe)

    def _read(self) -> Iterator[Table]:
        return read_bars(PROJECT / self.path, self.path, self.universe)

    def bars(self) -> Iterator[Bar]:
        return chain.from_iterable(map(self._made, self._spool.tables()))

    def _made(self, part: Table) -> Iterator[Bar]:
        """Bars without a quote where there is none; that is what a bar's last fields say by themselves."""
        symbols = map(self.universe.__getitem__, part.codes.tolist())
        figures = (part.figures[name].tolist() for name in (*FIGURES, *QUOTES) if name in part.figures)
        return map(Bar, symbols, part.times.tolist(), *figures)

    def summary(self) -> dict[str, Any]:
        return dict(self._summary)
