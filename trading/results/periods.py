"""Returns by month and by day, and how they are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trading.metrics import daily_levels

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NANOS_PER_SECOND: Final = 1_000_000_000
_MOST_BINS: Final = 31
_FEWEST_BINS: Final = 5


class Year(NamedTuple):
    """The returns of a calendar year: its twelve months, None where the run did not trade, and the whole of it."""

    year: int
    months: list[float | None]
    whole: float


@dataclass(frozen=True)
class Bin:
    """How many values lie in [``low``, ``high``)."""

    low: float
    high: float
    count: int


def monthly(times: Ints, equity: Floats, starting_cash: float) -> list[Year]:
    """The return of each calendar month, UTC, from one month's last equity to the next one's."""
    months = [_month(int(time)) for time in _month_ends(times)]
    levels = np.concatenate(([starting_cash], equity[np.searchsorted(times, _month_ends(times))]))
    returns = (levels[1:] / levels[:-1] - 1).tolist()
    years: dict[int, Year] = {}
    for (year, month), gained in zip(months, returns, strict=True):
        known = years.get(year) or Year(year, [None] * 12, 0.0)
        known.months[month - 1] = gained
        years[year] = known._replace(whole=(1 + known.whole) * (1 + gained) - 1)
    return list(years.values())


def _month_ends(times: Ints) -> Ints:
    """The last stamp of each month."""
    months = (times // _NANOS_PER_SECOND).astype("datetime64[s]").astype("datetime64[M]")
    last = np.append(np.diff(months.astype(np.int64)) != 0, True)[: len(times)]
    return np.asarray(times[last])


def _month(nanos: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(nanos // _NANOS_PER_SECOND, UTC)
    return moment.year, moment.month


def daily_returns(times: Ints, equity: Floats, starting_cash: float) -> Floats:
    """The return of each UTC day; empty where there are fewer than three (`trading.metrics.daily_levels`)."""
    levels, _, is_daily = daily_levels(times, equity, starting_cash)
    return np.diff(levels) / levels[:-1] if is_daily else np.empty(0)


def spread(values: Sequence[float] | Floats) -> list[Bin]:
    """The values counted in bins of one width, of which zero is a border, so that no bin mixes gains and losses.

    The width is Freedman and Diaconis' (2 x interquartile range / cube root of n), within 5 to 31 bins.
    """
    figures = np.asarray(values, np.float64)
    if not len(figures):
        return []
    low, high = min(float(figures.min()), 0.0), max(float(figures.max()), 0.0)
    if low == high:
        return [Bin(0.0, 0.0, len(figures))]
    quarter, three_quarters = np.percentile(figures, [25, 75])
    width = 2 * float(three_quarters - quarter) / len(figures) ** (1 / 3)
    width = min(max(width, (high - low) / (_MOST_BINS - 2)), (high - low) / _FEWEST_BINS)
    first = int(np.floor(low / width))
    # The largest value lies below its border too.
    places = np.floor(figures / width).astype(np.int64) - first
    counts = np.bincount(places)
    return [Bin((first + at) * width, (first + at + 1) * width, int(count)) for at, count in enumerate(counts)]
