"""Progress of a run on a terminal (one line that moves) or in a pipe (a plain line now and then)."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from trading.engine.bars import to_datetime

#: Stages that are always worth a line; the rest only move the status line.
_TOLD = {"order.filled", "order.rejected", "order.cancelled", "risk.halted", "kill.engaged", "error"}
_PIPE_SECONDS = 5.0
_TERMINAL_SECONDS = 0.1


class Progress:
    """Called with each frame of a run; writes to ``stream`` and never to the JSON document's."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moving = self._stream.isatty()
        self._pause = _TERMINAL_SECONDS if self._moving else _PIPE_SECONDS
        self._next = 0.0
        self._bars = 0
        self._fills = 0
        self._equity = ""

    def __call__(self, stage: str, message: str, event_time: int | None, **extras: Any) -> None:
        if stage == "bar.received":
            self._bars += 1
        elif stage == "bar.processed":
            self._bars = extras["bars"]
        elif stage == "order.filled":
            self._fills += 1
        elif stage == "equity.update":
            self._equity = str(extras.get("equity", ""))
        if stage in _TOLD and self._moving:
            self._line(f"{_clock(event_time)}  {stage:<16} {_told(stage, message, extras)}")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._pause
            self._status(event_time)

    def close(self) -> None:
        if self._moving:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _status(self, event_time: int | None) -> None:
        equity = f"  equity {self._equity}" if self._equity else ""
        text = f"{_clock(event_time)}  bars {self._bars:,}  fills {self._fills:,}{equity}"
        if self._moving:
            self._stream.write(f"\r\033[K{text}")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(f"\r\033[K{text}\n")


def _clock(event_time: int | None) -> str:
    return to_datetime(event_time).strftime("%Y-%m-%d %H:%M:%SZ") if event_time else " " * 20


def _told(stage: str, message: str, extras: dict[str, Any]) -> str:
    """A fill's message names its order; another's is only what became of it."""
    if stage == "order.filled" or "symbol" not in extras:
        return message
    return f"{extras['side']} {extras['qty']} {extras['symbol']}: {message}"
