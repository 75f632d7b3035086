"""Moments at which a strategy wants to be called."""

from __future__ import annotations

from typing import Final

import msgspec

from trading.engine.errors import InvalidValue

#: Later than every event: the next due time where no timer is set.
NEVER: Final = 2**63 - 1


class Timer(msgspec.Struct, gc=False):
    """Due at ``at``; then, where ``every`` is not zero, each ``every`` after it. Both in nanoseconds."""

    at: int
    every: int = 0


class Timers:
    """The timers of one run by name. ``due`` is the next time at which any of them is due."""

    __slots__ = ("_timers", "due")

    def __init__(self) -> None:
        self._timers: dict[str, Timer] = {}
        self.due = NEVER

    def set(self, name: str, at: int, every: int = 0) -> None:
        """Replaces a timer of the same name; raises `InvalidValue` for a negative time or interval."""
        if at < 0 or every < 0:
            raise InvalidValue(f"timer {name!r}: at and every must be zero or more, not {at} and {every}")
        self._timers[name] = Timer(at, every)
        self._look_ahead()

    def cancel(self, name: str) -> None:
        """Forget a timer; one that is not set is no error."""
        self._timers.pop(name, None)
        self._look_ahead()

    def take(self, now: int) -> list[str]:
        """The names of what is due by ``now``, by time and name, each once; they are then set on or forgotten."""
        due = sorted((timer.at, name) for name, timer in self._timers.items() if timer.at <= now)
        for _, name in due:
            timer = self._timers[name]
            if timer.every:
                timer.at += ((now - timer.at) // timer.every + 1) * timer.every
            else:
                del self._timers[name]
        self._look_ahead()
        return [name for _, name in due]

    def saved(self) -> dict[str, list[int]]:
        """Each timer as ``[at, every]``, ready for JSON."""
        return {name: [timer.at, timer.every] for name, timer in self._timers.items()}

    def restore(self, data: dict[str, list[int]]) -> None:
        """Set the timers that `saved` took, and no others."""
        self._timers = {name: Timer(at, every) for name, (at, every) in data.items()}
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.due = min((timer.at for timer in self._timers.values()), default=NEVER)
