"""Recorded bars from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_datetime
from trading.feeds.adjusting import adjusted, read_events
from trading.feeds.base import IFeed, Pace, read_pace
from trading.feeds.folders import read_bars
from trading.feeds.gaps import interval_of, missing_minutes
from trading.feeds.resampling import BarLength, read_timeframe, resampled
from trading.feeds.tables import FIGURES, QUOTES, Floats, Ints, Table

PROJECT: Final = Path(__file__).resolve().parents[2]
#: Rows turned into Python objects at a time: enough for speed, little enough for memory.
CHUNK: Final = 65_536
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
        self._table = Table(np.empty(0, np.int64), np.empty(0, np.int64), [], {})

    def prepare(self) -> None:
        table = self._read()
        if self.adjustments is not None:
            events = read_events(PROJECT / self.adjustments, self.adjustments)
            table = adjusted(table, events, self.adjustments)
        self.interval = interval_of(_series(table))
        if self._length is not None:
            table = resampled(table, self._length, self.interval, self.path)
            self.interval = self._length
        self.timeframe = _TIMEFRAMES.get(self.interval)
        self._table = table

    def _read(self) -> Table:
        return read_bars(PROJECT / self.path, self.path, self.universe)

    def bars(self) -> Iterator[Bar]:
        return chain.from_iterable(self._chunk(start) for start in range(0, len(self._table.times), CHUNK))

    def _chunk(self, start: int) -> Iterator[Bar]:
        part = slice(start, start + CHUNK)
        symbols = map(self.universe.__getitem__, self._table.codes[part].tolist())
        figures = (column[part].tolist() for column in self._columns())
        return map(Bar, symbols, self._table.times[part].tolist(), *figures)

    def _columns(self) -> list[Floats]:
        """In the order of a bar's fields; a feed without quotes leaves those out."""
        figures = self._table.figures
        names = (*FIGURES, *QUOTES) if any(name in figures for name in QUOTES) else FIGURES
        return [figures[name] if name in figures else np.zeros(len(self._table.times)) for name in names]

    def summary(self) -> dict[str, Any]:
        times = self._table.times
        missing = (missing_minutes(one, self.interval) for one in _series(self._table))
        return {
            "bars": len(times),
            "symbols": list(self.universe),
            "first": to_datetime(int(times[0])).isoformat(),
            "last": to_datetime(int(times[-1])).isoformat(),
            "timeframe": self.timeframe or f"{self.interval / NANOS_PER_SECOND:g} seconds",
            "missing_minutes": dict(zip(self.universe, missing, strict=True)),
            "outside_range": self._outside_range(),
        }

    def _outside_range(self) -> int:
        """Bars whose open or close lies outside of [low, high]."""
        opening, high, low, close = (self._table.figures[name] for name in FIGURES[:4])
        inside = (low <= np.minimum(opening, close)) & (np.maximum(opening, close) <= high)
        return int(np.count_nonzero(~inside))


def _series(table: Table) -> list[Ints]:
    """The stamps of each symbol."""
    order = np.argsort(table.codes, kind="stable")
    return np.split(table.times[order], np.cumsum(np.bincount(table.codes))[:-1])
