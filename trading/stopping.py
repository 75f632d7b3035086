"""Ending a backtest before its time, and saying how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from trading.lease import HandedOver, Lease, keeper
from trading.models import Run


class Stopping:
    """Whether a backtest is to stop: an operator asked for it, or its worker is to end.

    With ``hand_back`` a worker that is to end leaves the run to another one; without, as in a shell, it stops.
    """

    def __init__(self, lease: Lease, *, hand_back: bool) -> None:
        self._run_id = lease.run_id
        self._hand_back = hand_back
        self._told = threading.Event()
        lease.on_stop = lease.on_leave = self._told.set

    def wanted(self) -> bool:
        """Whether to stop now. Raises `HandedOver` where the run is left to another worker."""
        if not self._told.is_set():
            return False
        if self._hand_back and keeper().draining and not self._asked_for():
            raise HandedOver(self._run_id)
        return True

    def _asked_for(self) -> bool:
        return Run.objects.filter(pk=self._run_id, stop_requested_at__isnull=False).exists()

    def done(self, work: Callable[[], None]) -> bool:
        """Do what cannot be interrupted, such as reading a file; False where a stop came first.

        The work then goes on unheard until it is done. Raises what it raises, and `HandedOver`.
        """
        errors: list[BaseException] = []
        over = threading.Event()

        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)
            finally:
                over.set()

        threading.Thread(target=run, name="backtest-data", daemon=True).start()
        while not over.wait(0.05):
            if self.wanted():
                return False
        if errors:
            raise errors[0]
        return True


class TimeLeft:
    """Seconds that are left of ``total`` equal steps, at the pace so far; None while that is unknown."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self._began = time.perf_counter()

    def after(self, done: int) -> float | None:
        if self.total is None or not done:
            return None
        spent = time.perf_counter() - self._began
        return round(spent * max(0, self.total - done) / done, 1)
