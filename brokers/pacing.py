"""Keeping to a venue's rate limit ahead of its refusal.

A venue counts the calls of a token or an account, not those of a session: all sessions of a process share a limit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Final


class RateLimit:
    """At most ``calls`` in any ``seconds``, over all threads; what the venue's own headers say counts for more.

    A call that would be too many waits. Those that must not (cancels) `count` themselves and go.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._made: deque[float] = deque()
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def wait(self, sleep: Callable[[float], None] | None = None) -> None:
        """Wait until one more call is allowed, and count it; ``sleep`` may raise to give up."""
        while (left := self._claim()) > 0:
            (sleep or self._sleep)(left)

    def count(self) -> None:
        """Count a call that does not wait."""
        with self._lock:
            self._made.append(self._clock())

    def _claim(self) -> float:
        """Count a call if it is allowed now; else the seconds until it may be."""
        with self._lock:
            now = self._clock()
            while self._made and now - self._made[0] >= self._seconds:
                self._made.popleft()
            left = self._closed_until - now
            if len(self._made) >= self._calls:
                left = max(left, self._made[0] + self._seconds - now)
            if left <= 0:
                self._made.append(now)
            return left

    def hear(self, headers: Mapping[str, str], wall: float | None = None) -> None:
        """Take a venue's ``X-Ratelimit-*`` headers: with none left, calls wait until the window that they name ends.

        The end is told as seconds or milliseconds since the epoch; its size says which.
        """
        left = headers.get("X-Ratelimit-Available", headers.get("X-Ratelimit-Remaining", ""))
        until = headers.get("X-Ratelimit-Expiry", headers.get("X-Ratelimit-Reset", ""))
        if not left.isdigit() or int(left) or not until.isdigit():
            return
        moment = int(until) / 1000 if int(until) > 10**11 else float(until)
        wait = moment - (time.time() if wall is None else wall)
        with self._lock:
            self._closed_until = self._clock() + min(max(wait, 0.0), self._seconds)


_limits: Final[dict[Hashable, RateLimit]] = {}


def shared(whose: Hashable, limit: RateLimit) -> RateLimit:
    """The limit that all of this process keep to together in what ``whose`` names: ``limit``, unless one of them has
    brought another before."""
    return _limits.setdefault(whose, limit)
