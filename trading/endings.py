"""The ways in which a session ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ending:
    """How a session ends: its final status, and the sentence for it, which open orders are cancelled for too."""

    status: str
    reason: str


FEED_ENDED = Ending("completed", "the feed ended")
STOPPED = Ending("stopped", "stopped by an operator")
#: Why the orders of a run are gone whose owner was lost: the simulated venue lives in its process.
VENUE_LOST = "the simulated venue was lost with the run's owner"
#: How the reason of a run begins that a restored database knows of, which its venue may know more of.
RESTORED = "restored from"
KILLED = Ending("killed", "kill switch engaged")


def killed(reason: str) -> Ending:
    return Ending("killed", reason)


def halted(code: str) -> Ending:
    return Ending("halted", code)


def failed(error: Exception) -> Ending:
    return Ending("failed", f"{type(error).__name__}: {error}")
