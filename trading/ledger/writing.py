"""The writer: one thread per process that commits the appends of many runs together.

What waits while one commit is under way goes into the next, so that the more runs there are, the more share a commit.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, islice
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo

from trading.connections import conninfo
from trading.ledger.appending import Append, Database, Entry, Outcome, commit

log = logging.getLogger(__name__)

#: How the writer's connection shows in pg_stat_activity.
NAME: Final = "alphaswarm ledger"
MOST_APPENDS: Final = 500
MOST_EVENTS: Final = 20_000
SHORTEST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.25
#: Appends that are to come together have come once none was added for so long.
GATHER_PAUSE: Final = 0.008
#: A process that is frozen amid a transaction must not keep its runs from a new owner. Amid statements that are sent in
#: one go it is not idle to PostgreSQL, which bounds the whole transaction from its version 17 on.
SESSION_OPTIONS: Final = "-c idle_in_transaction_session_timeout=2000 -c statement_timeout=30000 -c lock_timeout=2000"
BOUNDS_TRANSACTIONS: Final = 170000
TRANSACTION_SECONDS = 5.0

#: Errors of the database itself, not of what was written.
AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)


class LedgerUnavailable(Exception):
    """The writer was closed while the database was away: it is not known whether this was written."""


@dataclass
class _Job:
    entry: Entry
    future: Future[int] = field(default_factory=Future)

    def settle(self, outcome: Outcome | Exception) -> None:
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        elif outcome is not None:
            self.future.set_result(outcome)


class LedgerWriter:
    """Appends to the ledger from any thread.

    Nothing is lost and nothing is written twice while the database goes away and comes back: an append is tried again
    until the database has answered, and where an answer was lost, what is there is compared first.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._queue: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._give_up_at: float | None = None
        self._database: Database | None = None
        self._away = False
        self._pause = SHORTEST_PAUSE
        self._most = MOST_APPENDS
        self._gather_until = 0.0
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def append(self, item: Append) -> Future[int]:
        """Write ``item``; the future gives the seq of its last event once that is durable.

        Appends to one run are written in the order of the calls. The future raises `LeaseLost`, `UnknownRun`, or the
        database's error for content that it refuses. Cancelling it changes nothing.
        """
        job = _Job(Entry(item))
        job.future.set_running_or_notify_cancel()
        with self._changed:
            if self._give_up_at is not None:
                raise LedgerUnavailable("the ledger writer is closed")
            self._queue.append(job)
            self._changed.notify()
        return job.future

    def gather(self, seconds: float) -> None:
        """For so long, let appends come together before they are written: many runs have something to write at once,
        and a first commit of a few of them would only hold up the rest."""
        self._gather_until = time.monotonic() + seconds

    def newest(self) -> Future[int] | None:
        """The newest append of any run that waits to be written; None where none does."""
        with self._changed:
            return self._queue[-1].future if self._queue else None

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, for at most ``timeout`` seconds, and end."""
        with self._changed:
            self._give_up_at = time.monotonic() + timeout
            self._changed.notify()
        self._thread.join(timeout + 1.0)

    def _run(self) -> None:
        while self._wait_for_work():
            self._let_gather()
            try:
                settled = self._commit_next()
                self._most = min(self._most * 2, MOST_APPENDS)
            except AWAY as error:
                self._database_went(error)
                # Connections that are cut again and again still let a smaller commit through.
                self._most = max(self._most // 2, 1)
                settled = 0
            self._rest(settled)
        self._end()

    def _wait_for_work(self) -> bool:
        """Whether there is something to do; False once the writer is closed and done, or out of time."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._give_up_at is not None)
            if self._give_up_at is None:
                return True
            return bool(self._queue) and time.monotonic() < self._give_up_at

    def _let_gather(self) -> None:
        while time.monotonic() < self._gather_until:
            waiting = len(self._queue)
            time.sleep(GATHER_PAUSE)
            if len(self._queue) == waiting:
                return

    def _rest(self, settled: int) -> None:
        """Go on at once after success; otherwise wait, longer each time, though no other run waits for a held one."""
        if settled:
            self._pause = SHORTEST_PAUSE
            return
        with self._changed:
            waiting = len(self._queue)
            self._changed.wait_for(lambda: len(self._queue) > waiting and not self._away, self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _commit_next(self) -> int:
        """Write what waits; how many appends are settled. Raises where the database is away."""
        jobs = self._next_jobs()
        database = self._connected()
        outcomes: list[Outcome | Exception] = []
        try:
            outcomes += commit(database, [job.entry for job in jobs], wait=False)
        except AWAY:
            raise
        except Exception:
            # One append is at fault: alone, each gets its own answer.
            for job in jobs:
                outcomes.append(self._commit_alone(database, job))
        finally:
            self._settle(jobs, outcomes)
        return sum(outcome is not None for outcome in outcomes)

    def _commit_alone(self, database: Database, job: _Job) -> Outcome | Exception:
        try:
            return commit(database, [job.entry])[0]
        except AWAY:
            raise
        except Exception as error:
            return error

    def _next_jobs(self) -> list[_Job]:
        with self._changed:
            waiting = list(islice(self._queue, self._most))
        events = accumulate(len(job.entry.events) for job in waiting)
        fitting = sum(total <= MOST_EVENTS for total in events)
        return waiting[: max(fitting, 1)]

    def _settle(self, jobs: list[_Job], outcomes: list[Outcome | Exception]) -> None:
        """Answer the jobs that have an outcome; the others stay first in the queue, in their order."""
        answers = outcomes + [None] * (len(jobs) - len(outcomes))
        with self._changed:
            for _ in jobs:
                self._queue.popleft()
            waiting = [job for job, outcome in zip(jobs, answers, strict=True) if outcome is None]
            self._queue.extendleft(reversed(waiting))
        for job, outcome in zip(jobs, answers, strict=True):
            job.settle(outcome)

    def _connected(self) -> Database:
        if self._database is None or self._database.closed:
            dsn = make_conninfo(self._dsn, application_name=NAME, options=SESSION_OPTIONS)
            self._database = psycopg.connect(dsn, autocommit=True)
            if self._database.info.server_version >= BOUNDS_TRANSACTIONS:
                self._database.execute(f"SET transaction_timeout = '{TRANSACTION_SECONDS:g}s'")
            if self._away:
                log.warning("the ledger's database is back; %d appends waited for it", len(self._queue))
                self._away = False
        return self._database

    def _database_went(self, error: psycopg.Error) -> None:
        if not self._away:
            log.error("the ledger waits for its database: %s", str(error).strip())
        self._away = True
        if self._database is not None:
            self._database.close()
            self._database = None

    def _end(self) -> None:
        if self._database is not None:
            self._database.close()
        for job in self._queue:
            job.settle(LedgerUnavailable("the ledger writer was closed before the database answered"))


@cache
def _writer(pid: int) -> LedgerWriter:
    writer = LedgerWriter(conninfo())
    atexit.register(writer.close)
    return writer


def writer() -> LedgerWriter:
    """The writer of this process; a forked child gets its own."""
    return _writer(os.getpid())
