"""What is regular in recorded bars, and what is missing from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from trading.engine.bars import NANOS_PER_SECOND
from trading.feeds.tables import Ints, Table

EXCHANGE_ZONE: Final = ZoneInfo("America/New_York")
DAY: Final = 86_400 * NANOS_PER_SECOND
MINUTE: Final = 60 * NANOS_PER_SECOND


class Steps:
    """From each bar to the next one of its symbol, as tables of rows in order of time pass by."""

    def __init__(self, symbols: int) -> None:
        self._last = np.zeros(symbols, np.int64)
        self._seen = np.zeros(symbols, np.bool_)

    def of(self, table: Table) -> tuple[Ints, Ints, Ints]:
        """Of each row whose symbol had one before: the symbol's code, that one's time, and its own."""
        order = np.argsort(table.codes, kind="stable")
        codes, times = table.codes[order], table.times[order]
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        before, known = np.roll(times, 1), np.ones(len(times), np.bool_)
        before[first], known[first] = self._last[codes[first]], self._seen[codes[first]]
        last = np.append(first[1:], len(codes)) - 1
        self._last[codes[last]], self._seen[codes[last]] = times[last], True
        return codes[known], before[known], times[known]


class Regularity:
    """What the length of the bars is, and which symbols have bars within a day, told when all rows have passed by."""

    def __init__(self, symbols: int) -> None:
        self._steps = Steps(symbols)
        self._counts = Counter[int]()
        #: By code: whether some bar is not stamped at midnight UTC.
        self.intraday = np.zeros(symbols, np.bool_)

    def watched(self, tables: Iterable[Table]) -> Iterator[Table]:
        for table in tables:
            _, before, times = self._steps.of(table)
            lengths, counts = np.unique(times - before, return_counts=True)
            self._counts.update(dict(zip(lengths.tolist(), counts.tolist(), strict=True)))
            self.intraday[table.codes[table.times % DAY != 0]] = True
            yield table

    @property
    def interval(self) -> int:
        """The most common step between two bars of one symbol in nanoseconds (the smaller of equals); 0 when no symbol
        has two bars."""
        return min(self._counts, key=lambda step: (-self._counts[step], step), default=0)


def missing_minutes(tables: Iterable[Table], symbols: int, interval: int) -> list[int]:
    """By code: minutes without a bar between two bars of one symbol on the same day, by the calendar of New York.

    What is absent before a day's first bar or after its last, and so every night, is not counted. Bars of a day or more
    have none.
    """
    steps, missing = Steps(symbols), np.zeros(symbols, np.int64)
    if 0 < interval < DAY:
        for table in tables:
            codes, before, times = steps.of(table)
            long = np.flatnonzero(times - before >= 2 * interval)
            codes, before, times = codes[long], before[long], times[long]
            same_day = (before + offsets(before)) // DAY == (times + offsets(times)) // DAY
            np.add.at(missing, codes[same_day], ((times - before) // interval - 1)[same_day])
    return [int(bars) * interval // MINUTE for bars in missing]


def offsets(times: Ints) -> Ints:
    """New York's distance from UTC at each time, in nanoseconds; asked once per UTC day, at noon, since it changes at
    night."""
    days, index = np.unique(times // DAY, return_inverse=True)
    return np.array([_offset_at_noon(int(day)) for day in days], np.int64)[index]


@cache
def _offset_at_noon(day: int) -> int:
    noon = datetime.fromtimestamp(day * 86_400 + 43_200, UTC).astimezone(EXCHANGE_ZONE)
    offset = noon.utcoffset()
    return int(offset.total_seconds()) * NANOS_PER_SECOND if offset is not None else 0
