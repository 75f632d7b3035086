"""The sweep: orders of sessions that do not answer are withdrawn from outside, and the ledger is told.

A session does not answer when a kill was called and it has not said in the ledger that it drains: its loop is blocked,
or its worker hangs. A run that has ended may have left orders open: its owner was lost, or the venue did not confirm a
cancel. In both cases the run is first taken over by a new fencing token, whatever its lease says, so that who wakes up
later can neither write nor send. A run that waits for its next owner is left to that, but for a kill.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from brokers.base import IBrokerage
from risk.alerts import raise_alert
from risk.gate import OrderGate, Verdict
from risk.kill_file import KillFile
from trading.endings import KILLED
from trading.engine.errors import TradingError
from trading.guard.booking import book, take_over
from trading.guard.clearing import NotEmpty, clear
from trading.guard.watchlist import Stopwatch, Watched, watched_runs
from trading.lease import Lease, keeper
from trading.ledger import LeaseLost
from trading.parts import venue_of

log = logging.getLogger(__name__)

#: The pause before a venue is swept again, and how long it gets at most while that fails.
RETRY_SECONDS = (2.0, 60.0)
UNANSWERED = "the session did not answer and was swept from outside"


class Sweeper:
    """One `round` at a time. Each brokerage is swept in a thread of its own, so that none waits for another's venue."""

    def __init__(self, gate: OrderGate, kill_file: KillFile) -> None:
        self._gate = gate
        self._file = kill_file
        self._runs: list[Watched] = []
        self._away = False
        self._asked = Stopwatch()
        self._errands: dict[str, _Errand] = {}

    def round(self) -> None:
        """Look once, and begin what there is to do. With the database away the runs are those that were last seen."""
        killed = self._gate.verdict() is Verdict.ENGAGED or self._file.mark() is not None
        halts = self._gate.halts()
        self._look()

        def why(run: Watched) -> str:
            halt = None if halts is None else halts.ending(run.place)
            return KILLED.reason if killed else "" if halt is None else halt.sentence

        reasons = {run.run_id: why(run) for run in self._runs}
        seconds = self._asked.seconds((run_id for run_id, reason in reasons.items() if reason), time.monotonic())
        wanted: defaultdict[str, list[Watched]] = defaultdict(list)
        for run in self._runs:
            if run.has_left or run.is_silent(seconds.get(run.run_id)):
                wanted[run.brokerage].append(run)
        for brokerage, runs in wanted.items():
            errand = self._errands.setdefault(brokerage, _Errand(brokerage))
            errand.begin({run: reasons[run.run_id] for run in runs}, killed=killed, away=self._away)

    def _look(self) -> None:
        was_away, self._away = self._away, False
        try:
            self._runs = watched_runs()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            self._away = True
            if not was_away:
                log.warning("the database is away, runs are known as they were: %s", type(error).__name__)
        if self._away != was_away:
            # What a session has to say it could not say to a database that was away.
            self._asked = Stopwatch()

    def wait(self) -> None:
        """Until what was begun has ended. For tests."""
        for errand in self._errands.values():
            errand.wait()


class _Errand:
    """The sweeping of one brokerage: never twice at once, and ever less often while the same runs fail."""

    def __init__(self, brokerage: str) -> None:
        self._brokerage = brokerage
        self._thread: threading.Thread | None = None
        self._next = 0.0
        self._pause = RETRY_SECONDS[0]
        self._tried: set[UUID] = set()

    def begin(self, runs: Mapping[Watched, str], *, killed: bool, away: bool) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        ids = {run.run_id for run in runs}
        if not ids <= self._tried:
            self._next, self._pause = 0.0, RETRY_SECONDS[0]
        if time.monotonic() < self._next:
            return
        self._tried = ids
        self._thread = threading.Thread(target=self._work, args=(runs, killed, away), name="sweep", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _work(self, runs: Mapping[Watched, str], killed: bool, away: bool) -> None:
        try:
            sweep(self._brokerage, runs, killed=killed, away=away)
            self._pause = RETRY_SECONDS[0]
        except Exception as error:
            known = isinstance(error, TradingError | DatabaseError | InterfaceError)
            log.error("%d runs are not swept: %s", len(runs), error, exc_info=not known)
            for run in runs:
                subject = f"Orders of run {run.run_id} at {run.venue} could not be withdrawn from outside"
                raise_alert("unconfirmed_cancel", subject, str(error), "critical", run_id=run.run_id)
            self._pause = min(self._pause * 2, RETRY_SECONDS[1])
        finally:
            self._next = time.monotonic() + self._pause
            connection.close()


def sweep(brokerage: str, runs: Mapping[Watched, str], *, killed: bool, away: bool = False) -> None:
    """Withdraw the open orders of these runs, which share a brokerage, and write what became of them.

    Each run comes with the reason for which it was to end. With the database ``away`` the venue alone is told. Raises
    what the venue raises, and `trading.guard.clearing.NotEmpty`.
    """
    taken = [] if away else [(run, lease) for run in runs if (lease := take_over(run.run_id, run.status))]
    meant = list(runs) if away else [run for run, _ in taken]
    venue = venue_of(json.loads(brokerage))
    try:
        if not meant:
            return
        if not venue.shared:
            _book(taken, runs, None)
            return
        try:
            venue.reach()
            left: NotEmpty | None = None
            try:
                count = clear(venue, lambda order: any(run.sent(order) for run in meant), all_if_need_be=killed)
                log.warning("%d orders of %d runs at %s were withdrawn from outside", count, len(meant), meant[0].venue)
            except NotEmpty as error:
                # What one order does not let go of is not to keep the others from being written.
                left = error
            _book(taken, runs, venue)
            if left is not None:
                raise left
        finally:
            venue.close()
    finally:
        for _, lease in taken:
            keeper().release(lease)


def _book(taken: Iterable[tuple[Watched, Lease]], reasons: Mapping[Watched, str], venue: IBrokerage | None) -> None:
    in_doubt: list[str] = []
    for run, lease in taken:
        try:
            in_doubt += book(lease, venue, f"{reasons[run]}; {UNANSWERED}")
        except LeaseLost:
            log.info("run %s was taken over by somebody else", run.run_id)
    if in_doubt:
        raise NotEmpty(f"the venue does not tell what became of {', '.join(in_doubt)}")
