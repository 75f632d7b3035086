"""What the runs of one account may still open together: one thread per process asks PostgreSQL on behalf of all.

An order that may open something needs a grant (`trading.grants`), between the commit of its intent and the order gate.
What asks while a transaction is under way goes into the next.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from risk.account_limits import Opening
from risk.breaker import Breaker, Call
from trading import grants
from trading.connections import conninfo
from trading.engine.risk import Denial

log = logging.getLogger(__name__)

NAME: Final = "alphaswarm accounts"
#: An order that was not granted by then is denied.
PATIENCE: Final = 2.0
MOST_ASKED: Final = 200
_PAUSE: Final = 0.05
_OPTIONS: Final = "-c idle_in_transaction_session_timeout=2000 -c statement_timeout=2000 -c lock_timeout=1500"
Database = psycopg.Connection[Any]
Answer = Denial | None

_UNREACHABLE: Final = Denial(
    code="account_unknown", message=f"what the account may still open was not to be learned in {PATIENCE:.0f} s"
)


@dataclass
class _Asked:
    account: str
    orders: Sequence[Opening]
    until: float
    future: Future[Answer] = field(default_factory=Future)

    def settle(self, answer: Answer) -> None:
        if not self.future.done():
            self.future.set_result(answer)


@dataclass(frozen=True)
class _Trip:
    account: str
    reason: str
    run: str


class AccountBook:
    """Grants orders from any thread, and makes breakers known that have tripped."""

    def __init__(self, dsn: str) -> None:
        self._dsn = make_conninfo(dsn, application_name=NAME, options=_OPTIONS)
        self._asked: deque[_Asked] = deque()
        self._trips: deque[_Trip] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._away = False
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._database: Database | None = None
        self._thread = threading.Thread(target=self._run, name="account-book", daemon=True)
        self._thread.start()

    async def grant(self, account: str, orders: Sequence[Opening]) -> Answer:
        """Why these orders, which leave together, may not be sent; None once they are granted.

        An answer that does not come within `PATIENCE` seconds is a denial.
        """
        why = self.tripped(account)
        if why:
            return grants.breaker_denial(account, why)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self.ask(account, orders)), PATIENCE)
        except TimeoutError:
            return _UNREACHABLE

    def ask(self, account: str, orders: Sequence[Opening]) -> Future[Answer]:
        """The same for a thread that waits by itself."""
        asked = _Asked(account, orders, time.monotonic() + PATIENCE)
        with self._changed:
            self._asked.append(asked)
            self._changed.notify()
        return asked.future

    def answered(self, account: str, call: Call) -> None:
        """The account's venue answered a call of this process."""
        with self._changed:
            self._breakers[account].answered(call)

    def failed(self, account: str, run: str, call: Call, words: str) -> None:
        """A call to the account's venue came to nothing that is known; one too many opens the breaker."""
        with self._changed:
            self._trip(account, run, self._breakers[account].failed(call, words))

    def updates(self, account: str, run: str, healthy: bool) -> None:
        """Whether a run hears what becomes of its orders; not for too long opens the breaker."""
        with self._changed:
            self._trip(account, run, self._breakers[account].updates(run, healthy, time.monotonic()))

    def forget(self, account: str, run: str) -> None:
        with self._changed:
            self._breakers[account].forget(run)

    def _trip(self, account: str, run: str, why: str) -> None:
        """Open the account's breaker: here at once, everywhere as soon as the database has it."""
        if why:
            log.error("the breaker of %s opens: %s", account, why)
            self._trips.append(_Trip(account, why, run))
            self._changed.notify()

    def tripped(self, account: str) -> str:
        """Why the breaker of this account was opened here, while the database has still to be told; else empty."""
        with self._changed:
            return next((trip.reason for trip in self._trips if trip.account == account), "")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(PATIENCE * 2)

    # The thread.

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._work(self._connected())
                self._away = False
            except psycopg.Error as error:
                if not self._away:
                    log.warning("accounts wait for their database: %s", " ".join(str(error).split()))
                self._away = True
                self._disconnect()
                self._give_up_late()
                time.sleep(_PAUSE)
            except Exception:
                log.exception("accounts could not be asked")
                self._give_up_late(everybody=True)
        self._disconnect()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._trips or self._closed)
            # A breaker that has tripped is made known first.
            return bool(self._trips) or not self._closed

    def _connected(self) -> Database:
        if self._database is None or self._database.closed:
            self._database = psycopg.connect(self._dsn)
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _give_up_late(self, everybody: bool = False) -> None:
        with self._changed:
            while self._asked and (everybody or self._asked[0].until < time.monotonic()):
                self._asked.popleft().settle(_UNREACHABLE)

    def _work(self, database: Database) -> None:
        with self._changed:
            trip = self._trips[0] if self._trips else None
            asked = [] if trip else self._next()
        if trip is not None:
            grants.trip(database, trip.account, trip.reason, trip.run)
            with self._changed:
                self._trips.popleft()
        elif asked:
            answers = grants.decide(database, asked[0].account, [one.orders for one in asked])
            with self._changed:
                for _ in asked:
                    self._asked.popleft()
            for one, answer in zip(asked, answers, strict=True):
                one.settle(answer)

    def _next(self) -> list[_Asked]:
        """Those at the head of the queue that ask the same account."""
        account = self._asked[0].account if self._asked else ""
        found: list[_Asked] = []
        for one in islice(self._asked, MOST_ASKED):
            if one.account != account:
                break
            found.append(one)
        return found


@cache
def _book(pid: int) -> AccountBook:
    atexit.register(close)
    return AccountBook(conninfo())


def book() -> AccountBook:
    """The account book of this process; a forked child gets its own."""
    return _book(os.getpid())


def close() -> None:
    """End this process's book, if there is one; who asks again gets another."""
    if _book.cache_info().currsize:
        book().close()
        _book.cache_clear()
