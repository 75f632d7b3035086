"""One thread per process that tells sessions when the kill switch or the scoped halts change."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from risk import places
from risk.gate import OrderGate, Verdict

log = logging.getLogger(__name__)

POLL_SECONDS = 0.005
#: For so long after news of a kill no garbage is collected: that stops every thread of the process while it lasts.
HURRY_SECONDS = 1.0

#: Called from the watcher's thread with the kill switch's epoch and whether it is engaged, also where only the scoped
#: halts have changed or a kill has come to flatten, of which the gate tells; must not block.
GateCallback = Callable[[int, bool], None]


class GateWatcher:
    """Polls the gate file and tells each subscriber (epoch, engaged): once at first, then at each change in the gate.

    A file that is missing, unreadable or stale is no change: the gate itself holds orders back then, and the first
    reading after it counts.
    """

    def __init__(self, path: Path) -> None:
        self._gate = OrderGate(path)
        self._subscribers: tuple[_Subscriber, ...] = ()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._hurry_until = 0.0

    def subscribe(self, callback: GateCallback) -> Callable[[], None]:
        """Call ``callback`` with what is so, and on each change from now on; the answer ends that."""
        subscriber = _Subscriber(callback)
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gate watcher", daemon=True)
                self._thread.start()

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(known for known in self._subscribers if known is not subscriber)

        return unsubscribe

    def close(self) -> None:
        """End the thread. For tests; a process-wide watcher lives as long as its process."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        if self._hurry_until:
            gc.enable()

    def _run(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            self._take_time_again()
            reading = self._gate.read()
            if reading.verdict is Verdict.STALE:
                continue
            news = (reading.epoch, reading.engaged, reading.flatten, reading.halts_epoch)
            for subscriber in self._subscribers:
                if subscriber.told != news:
                    if reading.engaged:
                        self._hurry()
                    subscriber.told = news
                    subscriber.tell(reading.epoch, reading.engaged)

    def _hurry(self) -> None:
        self._hurry_until = time.monotonic() + HURRY_SECONDS
        gc.disable()

    def _take_time_again(self) -> None:
        if self._hurry_until and time.monotonic() > self._hurry_until:
            self._hurry_until = 0.0
            gc.enable()


class _Subscriber:
    def __init__(self, callback: GateCallback) -> None:
        self.told: tuple[int, bool, bool, int] | None = None
        self._callback = callback

    def tell(self, epoch: int, engaged: bool) -> None:
        try:
            self._callback(epoch, engaged)
        except Exception:
            # One session's trouble must not keep the news from the others.
            log.exception("a subscriber of the gate watcher failed")


@cache
def _watcher(pid: int) -> GateWatcher:
    return GateWatcher(places.gate())


def gate_watcher() -> GateWatcher:
    """The watcher of this process; a forked child gets its own."""
    return _watcher(os.getpid())
