"""Bars that somebody else has kept, for the time in which a live feed is lost."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from trading.engine.bars import Bar
from trading.engine.errors import TradingError
from trading.feeds.base import FeedError
from trading.feeds.replay import PROJECT, ReplayFeed

log = logging.getLogger(__name__)


class BarCache:
    """A Parquet or CSV file (or a folder of them) that another program keeps up to date, with `ReplayFeed`'s columns.

    Only bars later than those that were seen are taken from it, so that a session never sees a price twice and never an
    old one as new.
    """

    def __init__(self, path: str, universe: Sequence[str], interval: int) -> None:
        self._path = path
        self._universe = universe
        self._interval = interval
        self._seen: tuple[int, int] | None = None

    def after(self, last: Mapping[str, int], now: int) -> list[Bar]:
        """The bars that are over by ``now`` (ns) and later than their symbol's ``last``, if the file has changed.

        One that cannot be read, or has bars of another length, gives none; the log says why.
        """
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return []
            feed = ReplayFeed(self._universe, self._path)
            feed.prepare()
            if feed.interval != self._interval:
                raise FeedError("its bars are of another length than the feed's", self._path)
            found = [bar for bar in feed.bars() if bar.time > last[bar.symbol] and bar.time + self._interval <= now]
            self._seen = stamp
        except (OSError, TradingError) as error:
            log.warning("the cache of bars is of no use now: %s", error)
            return []
        return found

    def _stamp(self) -> tuple[int, int]:
        """What changes with the file's content; of a folder, with its latest file's."""
        path = Path(PROJECT / self._path)
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        states = [one.stat() for one in files]
        return max((one.st_mtime_ns for one in states), default=0), sum(one.st_size for one in states)
