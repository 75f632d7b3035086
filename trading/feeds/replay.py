"""Recorded bars from a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_datetime
from trading.feeds.base import FeedError, IFeed, Pace, read_pace
from trading.feeds.gaps import interval_of, missing_minutes
from trading.feeds.tables import FIGURES, Floats, Ints, Table, read_table

PROJECT: Final = Path(__file__).resolve().parents[2]
#: Rows turned into Python objects at a time: enough for speed, little enough for memory.
CHUNK: Final = 65_536
_TIMEFRAMES: Final = {timeframe.nanos: timeframe for timeframe in Timeframe}


class ReplayFeed(IFeed):
    """The bars of a CSV or Parquet file with the columns timestamp, symbol, open, high, low, close and volume.

    ``path`` is absolute or relative to the project's folder. Columns may stand in any order, further ones are ignored.
    Rows are in order of time; timestamps carry their zone. Only the universe's symbols are taken, and each must occur;
    the rows of others are checked all the same. An open or close outside of [low, high] is kept as recorded, for
    rounded and adjusted prices have them, and counted in the summary.

    The length of a bar is the most common step between two bars of one symbol.
    """

    def __init__(self, universe: Sequence[str], path: str, speed: Pace = "max") -> None:
        super().__init__(universe)
        self.path = path
        self.pace = read_pace(speed)
        self._times: Ints = np.empty(0, np.int64)
        self._ranks: Ints = np.empty(0, np.int64)
        self._figures: dict[str, Floats] = {}

    def prepare(self) -> None:
        self._take(read_table(PROJECT / self.path, self.path))
        self.interval = interval_of(self._series())
        self.timeframe = _TIMEFRAMES.get(self.interval)

    def _take(self, table: Table) -> None:
        """Keep the universe's rows, in order of time and, within one time, of the universe.

        A symbol has one spelling only (`Symbol.parse` takes no other), so its text says whether two are the same.
        """
        missing = sorted(set(self.universe) - set(table.names))
        if missing:
            found = ", ".join(sorted(table.names)[:20]) or "no rows"
            raise FeedError(f"has no bar of {', '.join(missing[:20])}; it holds {found}", self.path)
        rank_of = {symbol: rank for rank, symbol in enumerate(self.universe)}
        ranks = np.array([rank_of.get(name, -1) for name in table.names], np.int64)[table.codes]
        rows = np.flatnonzero(ranks >= 0)
        rows = rows[np.lexsort((ranks[rows], table.times[rows]))]
        self._times, self._ranks = table.times[rows], ranks[rows]
        self._figures = {name: table.figures[name][rows] for name in FIGURES}

    def _series(self) -> list[Ints]:
        """The stamps of each symbol of the universe."""
        order = np.argsort(self._ranks, kind="stable")
        return np.split(self._times[order], np.cumsum(np.bincount(self._ranks))[:-1])

    def bars(self) -> Iterator[Bar]:
        return chain.from_iterable(self._chunk(start) for start in range(0, len(self._times), CHUNK))

    def _chunk(self, start: int) -> Iterator[Bar]:
        part = slice(start, start + CHUNK)
        symbols = map(self.universe.__getitem__, self._ranks[part].tolist())
        figures = (self._figures[name][part].tolist() for name in FIGURES)
        return map(Bar, symbols, self._times[part].tolist(), *figures)

    def summary(self) -> dict[str, Any]:
        missing = (missing_minutes(times, self.interval) for times in self._series())
        return {
            "bars": len(self._times),
            "symbols": list(self.universe),
            "first": to_datetime(int(self._times[0])).isoformat(),
            "last": to_datetime(int(self._times[-1])).isoformat(),
            "timeframe": self.timeframe or f"{self.interval / NANOS_PER_SECOND:g} seconds",
            "missing_minutes": dict(zip(self.universe, missing, strict=True)),
            "outside_range": self._outside_range(),
        }

    def _outside_range(self) -> int:
        """Bars whose open or close lies outside of [low, high]."""
        opening, high, low, close = (self._figures[name] for name in FIGURES[:4])
        inside = (low <= np.minimum(opening, close)) & (np.maximum(opening, close) <= high)
        return int(np.count_nonzero(~inside))
