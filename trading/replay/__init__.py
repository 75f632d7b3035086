"""Running a recorded run again from its own bars, and saying where it first goes another way, if it does."""

from trading.folding.tape import Difference
from trading.replay.report import ReplayReport, replay

__all__ = ["Difference", "ReplayReport", "replay"]
