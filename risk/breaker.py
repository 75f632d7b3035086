"""When a venue is no longer to be trusted with new orders: a pure state machine, one per account and process.

It only trips. What it trips stands in the account's row, holds for all senders on all hosts, and is reset by a person;
meanwhile the count begins anew, so that a venue that fails on after a reset trips it again.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

#: Calls in a row that failed, or whose outcome nobody knows.
MOST_FAILURES: Final = 5
#: Seconds for which order updates may be missing, while the adapter tries to get them back.
MOST_SILENCE: Final = 30.0


class Call(StrEnum):
    """What a venue is called for. One that answers questions may still fail at every order."""

    ORDER = "order"
    QUESTION = "question"


class Breaker:
    """Told of each call's outcome and, each second or so, whether order updates flow. Times are monotonic seconds."""

    def __init__(self, most_failures: int = MOST_FAILURES, most_silence: float = MOST_SILENCE) -> None:
        self._most_failures = most_failures
        self._most_silence = most_silence
        self._failures: Counter[Call] = Counter()
        self._silent_since: dict[str, float] = {}

    def answered(self, call: Call) -> None:
        """The venue answered, be it by a refusal."""
        self._failures[call] = 0

    def failed(self, call: Call, words: str) -> str:
        """A call came to nothing that is known; why this trips the breaker, or empty."""
        self._failures[call] += 1
        if self._failures[call] < self._most_failures:
            return ""
        count = self._failures.pop(call)
        return f"{count} {call}s in a row failed, the last one: {words}"

    def updates(self, run: str, healthy: bool, now: float) -> str:
        """Whether a run hears of its orders; why this trips the breaker, or empty."""
        if healthy:
            self._silent_since.pop(run, None)
            return ""
        since = self._silent_since.setdefault(run, now)
        if now - since < self._most_silence:
            return ""
        del self._silent_since[run]
        return f"order updates have been down for {now - since:.0f} s"

    def forget(self, run: str) -> None:
        """A run has ended, and asks for no updates any more."""
        self._silent_since.pop(run, None)
