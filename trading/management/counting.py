"""How far a long count has come: a bar on a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

_TERMINAL_SECONDS: Final = 0.2
_PIPE_SECONDS: Final = 5.0
_WIDTH: Final = 30


class Counting:
    """Called with how many are done, and how many there are; tells rate and time left on ``stream``.

    The standard error stream by default, out of the way of a JSON document. Close it to leave a clean line.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._moving = self._stream.isatty()
        self._pause = _TERMINAL_SECONDS if self._moving else _PIPE_SECONDS
        self._started = time.monotonic()
        self._next = self._started + self._pause

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._pause
        rate = done / (now - self._started)
        # What is written meanwhile is counted too, so that more may be done than there were.
        share = min(1.0, done / total) if total else 1.0
        left = max(0, total - done) / rate if rate else 0.0
        text = f"{share:4.0%}  {done:,} of {total:,} {self._what}  {rate:,.0f} a second  {_clock(left)} left"
        if self._moving:
            full = round(share * _WIDTH)
            text = f"\r\033[K[{'#' * full}{'.' * (_WIDTH - full)}] {text}"
        self._stream.write(text if self._moving else f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        if self._moving:
            self._stream.write("\r\033[K")
            self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
