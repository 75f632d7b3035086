"""The sweep: orders of sessions that do not answer are withdrawn from outside, and the ledger is told.

A session does not answer when a kill was called and it has not said in the ledger that it drains: its loop is blocked,
or its worker hangs. A run that has ended may have left orders open: its owner was lost, or the venue did not confirm a
cancel. In both cases the run is first taken over by a new fencing token, whatever its lease says, so that who wakes up
later can neither write nor send. A run that waits for its next owner is left to that, but for a kill.

The halt of a symbol ends no run: there the venue alone is told, of orders that may open something and that nobody
withdraws, and the run hears of it from its venue.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from brokers.base import IBrokerage
from brokers.sightings import VenueOrder
from risk.alerts import raise_alert
from risk.gate import OrderGate, Verdict
from risk.halts import NO_HALTS, Halts
from risk.kill_file import KillFile
from trading.endings import KILLED
from trading.engine.errors import TradingError
from trading.guard.booking import book, take_over, unheard
from trading.guard.clearing import NotEmpty, clear
from trading.guard.watchlist import Opening, Stopwatch, Watched, opening_in_halted, watched_runs
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
        self._opening: list[Opening] = []
        self._asked = Stopwatch()
        self._halted = Stopwatch()
        self._errands: dict[str, _Errand] = {}
        self._withdrawals: dict[str, _Errand] = {}

    def round(self) -> None:
        """Look once, and begin what there is to do. With the database away the runs are those that were last seen."""
        killed = self._gate.verdict() is Verdict.ENGAGED or self._file.mark() is not None
        halts = self._gate.halts()
        self._look(halts or NO_HALTS)

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
            meant = {run: reasons[run.run_id] for run in runs}
            work = partial(sweep, brokerage, meant, killed=killed, away=self._away)
            self._errands.setdefault(brokerage, _Errand()).begin(runs, work)
        self._rid([one for one in self._opening if not reasons[one.run.run_id]])

    def _rid(self, opening: Collection[Opening]) -> None:
        """Rid halted symbols of orders that nobody withdraws."""
        seconds = self._halted.seconds((one.run.run_id for one in opening), time.monotonic())
        wanted: defaultdict[str, list[Opening]] = defaultdict(list)
        for one in opening:
            if one.is_silent(seconds[one.run.run_id]):
                wanted[one.run.brokerage].append(one)
        for brokerage, silent in wanted.items():
            errand = self._withdrawals.setdefault(brokerage, _Errand(again=True))
            errand.begin([one.run for one in silent], partial(withdraw, brokerage, silent))

    def _look(self, halts: Halts) -> None:
        was_away, self._away = self._away, False
        try:
            self._runs = watched_runs()
            self._opening = opening_in_halted(self._runs, halts)
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            self._away = True
            if not was_away:
                log.warning("the database is away, runs are known as they were: %s", type(error).__name__)
        if self._away != was_away:
            # What a session has to say it could not say to a database that was away.
            self._asked, self._halted = Stopwatch(), Stopwatch()

    def wait(self) -> None:
        """Until what was begun has ended. For tests."""
        for errand in (*self._errands.values(), *self._withdrawals.values()):
            errand.wait()


class _Errand:
    """Work at one brokerage: never twice at once, and ever less often while the same runs fail.

    What is to be done ``again`` does not show in the ledger as done, and comes ever less often in any case.
    """

    def __init__(self, again: bool = False) -> None:
        self._again = again
        self._thread: threading.Thread | None = None
        self._next = 0.0
        self._pause = RETRY_SECONDS[0]
        self._tried: set[UUID] = set()

    def begin(self, runs: Collection[Watched], work: Callable[[], None]) -> None:
        """Do it in a thread, for these runs, unless it is under way or comes too soon."""
        if self._thread is not None and self._thread.is_alive():
            return
        ids = {run.run_id for run in runs}
        if not ids <= self._tried:
            self._next, self._pause = 0.0, RETRY_SECONDS[0]
        if time.monotonic() < self._next:
            return
        self._tried = ids
        self._thread = threading.Thread(target=self._work, args=(runs, work), name="sweep", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _work(self, runs: Collection[Watched], work: Callable[[], None]) -> None:
        longer = min(self._pause * 2, RETRY_SECONDS[1])
        try:
            work()
            self._pause = longer if self._again else RETRY_SECONDS[0]
        except Exception as error:
            known = isinstance(error, TradingError | DatabaseError | InterfaceError)
            log.error("%d runs are not swept: %s", len(runs), error, exc_info=not known)
            for run in runs:
                subject = f"Orders of run {run.run_id} at {run.venue} could not be withdrawn from outside"
                raise_alert("unconfirmed_cancel", subject, str(error), "critical", run_id=run.run_id)
            self._pause = longer
        finally:
            self._next = time.monotonic() + self._pause
            connection.close()


def withdraw(brokerage: str, opening: Sequence[Opening]) -> None:
    """Withdraw these orders of runs that share a brokerage, and go on. Raises as `sweep` does."""
    venue = venue_of(json.loads(brokerage))
    try:
        venue.reach()
        count = clear(venue, lambda order: any(one.sent(order) for one in opening), all_if_need_be=False)
    finally:
        venue.close()
    if count:
        name = opening[0].run.venue
        log.warning(
            "%d orders of %d runs in halted symbols were withdrawn at %s from outside", count, len(opening), name
        )


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
                legs = {name for run, _ in taken for name in unheard(run.run_id, venue)}

                def is_meant(order: VenueOrder) -> bool:
                    return order.venue_order_id in legs or any(run.sent(order) for run in meant)

                count = clear(venue, is_meant, all_if_need_be=killed)
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
    troubles: list[TradingError] = []
    for run, lease in taken:
        try:
            in_doubt += book(lease, venue, f"{reasons[run]}; {UNANSWERED}")
        except LeaseLost:
            log.info("run %s was taken over by somebody else", run.run_id)
        except TradingError as error:
            # One run that cannot be written must not keep the others from it.
            log.exception("what became of the orders of run %s could not be written", run.run_id)
            troubles.append(error)
    if troubles:
        raise troubles[0]
    if in_doubt:
        raise NotEmpty(f"the venue does not tell what became of {', '.join(in_doubt)}")
