"""A trial's equity in few numbers, on moments that all trials of a sweep share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trading.metrics import TRADING_DAYS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Returns kept of a trial: enough for ten walk-forward splits and their statistics, and 2 KiB in the database.
MOST_PERIODS: Final = 512
#: With fewer days than these, bars tell more.
_FEWEST_DAYS: Final = 100
_NANOS_PER_DAY: Final = 86_400_000_000_000


@dataclass(frozen=True)
class Grid:
    """The moments (n, ascending, nanoseconds) at which equity is taken, and how many of its periods make a year."""

    times: Ints
    per_year: float

    @classmethod
    def of(cls, stamps: Ints) -> Grid:
        """The ends of the UTC days that ``stamps`` (ascending) lie in, or of bars where the days are few; of more than
        512 every so many."""
        days = stamps // _NANOS_PER_DAY
        ends = np.flatnonzero(np.append(np.diff(days) != 0, True)) if len(stamps) else np.empty(0, np.int64)
        steps = stamps[ends] if len(ends) >= _FEWEST_DAYS else stamps[np.append(np.diff(stamps) != 0, True)]
        every = max(1, -(-len(steps) // MOST_PERIODS))
        times = steps[::-1][::every][::-1]
        return cls(times, TRADING_DAYS * len(times) / max(1, len(ends)))

    def returns(self, times: Ints, equity: Floats, starting_cash: float) -> Floats:
        """The relative change of a curve from moment to moment (n); a curve that ends early stays where it was."""
        if not len(times):
            return np.zeros(len(self.times))
        at = np.searchsorted(times, self.times, side="right")
        levels = np.where(at > 0, equity[np.maximum(at - 1, 0)], starting_cash)
        before = np.concatenate(([starting_cash], levels[:-1]))
        return np.asarray(np.divide(levels - before, before, out=np.zeros(len(levels)), where=before > 0))

    def as_json(self) -> dict[str, Any]:
        return {"times": self.times.tolist(), "per_year": self.per_year}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Grid:
        return cls(np.array(data["times"], np.int64), float(data["per_year"]))


def packed(returns: Floats) -> bytes:
    return returns.astype("<f4").tobytes()


def unpacked(digest: bytes) -> Floats:
    return np.frombuffer(digest, "<f4").astype(np.float64)
