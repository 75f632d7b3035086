"""Running a recorded run again from its own bars, and saying where it first goes another way, if it does."""

from trading.replay.report import ReplayReport, replay
from trading.replay.tape import Difference

__all__ = ["Difference", "ReplayReport", "replay"]
