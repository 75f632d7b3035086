"""One thread per process that tells sessions when the kill switch changes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from risk import places
from risk.gate import OrderGate, Verdict

log = logging.getLogger(__name__)

POLL_SECONDS = 0.005

#: Called from the watcher's thread with the new epoch and whether the switch is engaged; must not block.
GateCallback = Callable[[int, bool], None]


class GateWatcher:
    """Polls the gate file and calls subscribers when its (epoch, engaged) changes.

    A file that is missing, unreadable or stale is no change: the gate itself holds orders back then, and the first
    reading after it counts. A subscriber reads the gate once itself after subscribing, for what was so before.
    """

    def __init__(self, path: Path) -> None:
        self._gate = OrderGate(path)
        self._callbacks: tuple[GateCallback, ...] = ()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def subscribe(self, callback: GateCallback) -> Callable[[], None]:
        """Call ``callback`` on each change from now on; the answer ends that."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gate watcher", daemon=True)
                self._thread.start()

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks = tuple(known for known in self._callbacks if known is not callback)

        return unsubscribe

    def close(self) -> None:
        """End the thread. For tests; a process-wide watcher lives as long as its process."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        last: tuple[int, bool] | None = None
        while not self._closed.wait(POLL_SECONDS):
            reading = self._gate.read()
            now = (reading.epoch, reading.engaged)
            if now == last or reading.verdict is Verdict.STALE:
                continue
            last = now
            for callback in self._callbacks:
                try:
                    callback(*now)
                except Exception:
                    # One session's trouble must not keep the news from the others.
                    log.exception("a subscriber of the gate watcher failed")


@cache
def _watcher(pid: int) -> GateWatcher:
    return GateWatcher(places.gate())


def gate_watcher() -> GateWatcher:
    """The watcher of this process; a forked child gets its own."""
    return _watcher(os.getpid())
