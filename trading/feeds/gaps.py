"""What is regular in recorded bars, and what is missing from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from trading.engine.bars import NANOS_PER_SECOND
from trading.feeds.tables import Ints

EXCHANGE_ZONE: Final = ZoneInfo("America/New_York")
DAY: Final = 86_400 * NANOS_PER_SECOND
MINUTE: Final = 60 * NANOS_PER_SECOND


def interval_of(series: list[Ints]) -> int:
    """The most common step between two bars of the same symbol in nanoseconds (the smaller of equals); 0 when no symbol
    has two bars. Each of ``series`` holds the ascending stamps of one symbol."""
    steps = [np.diff(times) for times in series]
    values, counts = np.unique(np.concatenate(steps), return_counts=True)
    return int(values[counts.argmax()]) if len(values) else 0


def missing_minutes(times: Ints, interval: int) -> int:
    """Minutes without a bar between two bars of one symbol on the same day, by the calendar of New York.

    What is absent before a day's first bar or after its last, and so every night, is not counted. ``times`` are
    ascending stamps in nanoseconds, UTC. Bars of a day or more have none.
    """
    if not 0 < interval < DAY:
        return 0
    day = (times + offsets(times)) // DAY
    steps = np.diff(times)[np.diff(day) == 0]
    return int(np.maximum(steps // interval - 1, 0).sum()) * interval // MINUTE


def offsets(times: Ints) -> Ints:
    """New York's distance from UTC at each time, in nanoseconds; asked once per UTC day, at noon, since it changes at
    night."""
    days, index = np.unique(times // DAY, return_inverse=True)
    return np.array([_offset_at_noon(int(day)) for day in days], np.int64)[index]


def _offset_at_noon(day: int) -> int:
    noon = datetime.fromtimestamp(day * 86_400 + 43_200, UTC).astimezone(EXCHANGE_ZONE)
    offset = noon.utcoffset()
    return int(offset.total_seconds()) * NANOS_PER_SECOND if offset is not None else 0
