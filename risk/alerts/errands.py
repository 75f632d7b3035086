"""Work that may take long, each kind in a thread of its own, so that what one is slow at holds up nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Errands(Generic[Result]):
    """At most one errand at a time under each name. Its work must not raise, and must not use the database."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._results: SimpleQueue[Result] = SimpleQueue()

    def busy(self, name: str) -> bool:
        thread = self._threads.get(name)
        return thread is not None and thread.is_alive()

    def start(self, name: str, work: Callable[[], Result]) -> None:
        """Begin it now; the caller has seen that nothing under this name is `busy`."""
        thread = threading.Thread(target=lambda: self._results.put(work()), name=f"errand {name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def results(self, patience: float = 0.0) -> list[Result]:
        """What has been done since the last time, after waiting so many seconds at most for all that is under way."""
        until = time.monotonic() + patience
        for thread in self._threads.values():
            thread.join(max(0.0, until - time.monotonic()))
        found = []
        while True:
            try:
                found.append(self._results.get_nowait())
            except Empty:
                return found
