"""Which day of its market a bar belongs to, and when that day's session begins and ends."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Final

import numpy as np

from trading.engine.calendars import AROUND_THE_CLOCK, calendar_of
from trading.engine.instruments import instrument_of
from trading.feeds.gaps import DAY, offsets
from trading.feeds.tables import Ints

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def shifts_of(symbol: str, times: Ints, intraday: bool) -> Ints:
    """The market's distance from UTC at each of ``times`` (nanoseconds): ``(times + shift) // DAY`` is its day.

    Crypto days are those of UTC. So are days of bars that are all stamped at midnight UTC, as files of daily bars do:
    those are not ``intraday``.
    """
    if not intraday or instrument_of(symbol).calendar == AROUND_THE_CLOCK:
        return np.zeros(len(times), np.int64)
    return offsets(times)


def day_number(day: date) -> int:
    """Days since the epoch."""
    return day.toordinal() - _EPOCH_DAY


def in_session(symbol: str, times: Ints, days: Ints) -> np.typing.NDArray[np.bool_]:
    """Whether a bar that starts at each of ``times``, on the market's ``days``, starts in the regular session."""
    calendar = instrument_of(symbol).calendar
    numbers, index = np.unique(days, return_inverse=True)
    bounds = np.array([_session(calendar, int(number)) for number in numbers], np.int64).reshape(-1, 2)
    return np.asarray((bounds[index, 0] <= times) & (times < bounds[index, 1]))


@cache
def _session(calendar: str, number: int) -> tuple[int, int]:
    """Opening and close, in nanoseconds, of the session of a day; of an empty span where it has none."""
    if calendar == AROUND_THE_CLOCK:
        return number * DAY, (number + 1) * DAY
    known = calendar_of(calendar)
    day = date.fromordinal(number + _EPOCH_DAY)
    close, before = known.close_by(day), known.close_by(date.fromordinal(number + _EPOCH_DAY - 1))
    return (0, 0) if close == before else (known.open_from(before), close)
