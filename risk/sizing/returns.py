"""What a symbol's last closes say about its returns."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean
from typing import Final

import msgspec

from risk.sizing.memory import Closes
from trading.engine.calendars import AROUND_THE_CLOCK
from trading.engine.volatility import MINUTE, MINUTES_PER_YEAR

_SESSION: Final = 390
_SESSIONS: Final = MINUTES_PER_YEAR // _SESSION
_DAY: Final = 24 * 60
_DAYS: Final = 365


class Returns(msgspec.Struct, frozen=True):
    """Of ``count`` simple returns from close to close: mean, sample variance (n - 1), and how many make a year."""

    count: int
    mean: float
    variance: float
    per_year: float

    @property
    def drift(self) -> float:
        """Mean return per year: 0.1 is ten percent."""
        return self.mean * self.per_year

    @property
    def volatility(self) -> float:
        """Standard deviation per year: 0.2 is twenty percent."""
        return float((self.variance * self.per_year) ** 0.5)


def returns_of(closes: Closes, calendar: str) -> Returns:
    """The returns between closes of which there are three or more."""
    moves = [after / before - 1.0 for before, after in pairwise(closes.prices)]
    mean = fmean(moves)
    variance = sum((move - mean) ** 2 for move in moves) / (len(moves) - 1)
    steps = sorted(after - before for before, after in pairwise(closes.times))
    return Returns(len(moves), mean, variance, returns_per_year(steps[len(steps) // 2], calendar))


def returns_per_year(step: int, calendar: str) -> float:
    """How many returns over ``step`` (ns) a year of trading has.

    An exchange has 252 sessions of 390 minutes, a market that never closes 365 of 1440; what is longer than a session
    (a bar of a day) comes once in each. The step is the median one between bars, so that nights, weekends and missing
    bars do not count as time.
    """
    sessions, minutes = (_DAYS, _DAY) if calendar == AROUND_THE_CLOCK else (_SESSIONS, _SESSION)
    return sessions * max(1.0, minutes * MINUTE / step)
