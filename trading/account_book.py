"""What the runs of one account may still open together: one thread per process asks PostgreSQL on behalf of all.

An order that may open something needs a grant, between the commit of its intent and the order gate. A grant is given
under the lock of the account's row, by what the ledger's tables say at that moment: positions, and what granted orders
have left. A fill moves its units from the one to the other in one transaction, so that no sender anywhere can find them
in neither. What asks while a transaction is under way goes into the next.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from risk.account_limits import AccountLimits, AccountState, Holding, Opening
from trading.connections import conninfo
from trading.engine.instruments import instrument_of
from trading.engine.orders import OPEN_STATUSES, Side
from trading.engine.risk import Denial

log = logging.getLogger(__name__)

NAME: Final = "alphaswarm accounts"
#: An order that was not granted by then is denied.
PATIENCE: Final = 2.0
MOST_ASKED: Final = 200
_PAUSE: Final = 0.05
_OPTIONS: Final = "-c idle_in_transaction_session_timeout=2000 -c statement_timeout=2000 -c lock_timeout=1500"
_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN_STATUSES))

_ADD: Final = "INSERT INTO risk_accounts (name) VALUES (%s) ON CONFLICT DO NOTHING"
_LOCK: Final = "SELECT limits, breaker_open, breaker_reason FROM risk_accounts WHERE name = %s FOR UPDATE"
# One statement, so that all of it is of one moment.
_STATE: Final = f"""
    SELECT (SELECT json_agg(json_build_array(p.run_id, p.symbol, p.qty::text, coalesce(p.last_price, p.avg_price)::text,
                                             extract(epoch FROM p.updated_at)))
              FROM runs r JOIN positions p ON p.run_id = r.id AND p.qty <> 0
             WHERE r.account = %(account)s AND r.mode <> 'backtest'),
           (SELECT json_agg(json_build_array(o.id, o.run_id, o.symbol, o.side, (o.qty - o.filled_qty)::text,
                                             g.unit_value::text, o.group_id, o.replaces) ORDER BY o.created_at, o.id)
              FROM runs r JOIN orders o ON o.run_id = r.id AND o.status IN ({_OPEN})
                          JOIN order_grants g ON g.order_id = o.id
             WHERE r.account = %(account)s AND r.mode <> 'backtest')
"""
# What each run of the day had at its beginning, and has but for what it holds.
_DAY: Final = """
    SELECT r.id::text, coalesce(r.cash, r.starting_cash), coalesce(began.equity, r.starting_cash)
      FROM runs r
      LEFT JOIN LATERAL (
          SELECT equity FROM equity_points e WHERE e.run_id = r.id AND e.time < %(midnight)s
           ORDER BY e.time DESC LIMIT 1) began ON true
     WHERE r.account = %(account)s AND r.mode <> 'backtest' AND (r.ended_at IS NULL OR r.ended_at >= %(midnight)s)
"""
_GRANT: Final = """
    INSERT INTO order_grants (order_id, account, unit_value, granted_at)
    VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT (order_id) DO NOTHING
"""
_MIDNIGHT: Final = "SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
_TRIP: Final = """
    UPDATE risk_accounts SET breaker_open = true, breaker_reason = %s, breaker_run = %s, opened_at = now(),
           trips = trips + 1 WHERE name = %s AND NOT breaker_open
"""

Database = psycopg.Connection[Any]
Answer = Denial | None


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
        self._database: Database | None = None
        self._thread = threading.Thread(target=self._run, name="account-book", daemon=True)
        self._thread.start()

    async def grant(self, account: str, orders: Sequence[Opening]) -> Answer:
        """Why these orders, which leave together, may not be sent; None once they are granted.

        An answer that does not come within `PATIENCE` seconds is a denial.
        """
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

    def trip(self, account: str, reason: str, run: str) -> None:
        """Open the account's breaker for all its senders; tried until the database has it."""
        with self._changed:
            self._trips.append(_Trip(account, reason, run))
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
            except psycopg.Error as error:
                log.warning("accounts wait for their database: %s", " ".join(str(error).split()))
                self._disconnect()
                self._give_up_late()
                time.sleep(_PAUSE)
        self._disconnect()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._trips or self._closed)
            return not self._closed

    def _connected(self) -> Database:
        if self._database is None or self._database.closed:
            self._database = psycopg.connect(self._dsn)
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _give_up_late(self) -> None:
        with self._changed:
            while self._asked and self._asked[0].until < time.monotonic():
                self._asked.popleft().settle(_UNREACHABLE)

    def _work(self, database: Database) -> None:
        with self._changed:
            trip = self._trips[0] if self._trips else None
            asked = [] if trip else self._next()
        if trip is not None:
            with database.transaction():
                database.execute(_ADD, [trip.account])
                database.execute(_TRIP, [trip.reason, trip.run, trip.account])
            with self._changed:
                self._trips.popleft()
        elif asked:
            answers = _decide(database, asked)
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


_UNREACHABLE: Final = Denial(
    code="account_unknown", message=f"what the account may still open was not to be learned in {PATIENCE:.0f} s"
)


def _decide(database: Database, asked: Sequence[_Asked]) -> list[Answer]:
    """Answer them one after the other, each by what was granted before it; all durable together."""
    account = asked[0].account
    with database.transaction():
        row = database.execute(_LOCK, [account]).fetchone()
        if row is None:
            database.execute(_ADD, [account])
            row = database.execute(_LOCK, [account]).fetchone()
        assert row is not None
        limits, breaker_open, why = AccountLimits.model_validate(row[0]), row[1], row[2]
        if breaker_open:
            return [breaker_denial(account, why)] * len(asked)
        state = read_state(database, account, with_loss=limits.max_daily_loss is not None)
        answers: list[Answer] = []
        granted: list[Opening] = []
        for one in asked:
            denial = state.refusal(one.orders, limits)
            answers.append(denial)
            if denial is None:
                state.openings += one.orders
                granted += one.orders
        if granted:
            with database.cursor() as cursor:
                cursor.executemany(_GRANT, [(one.order_id, account, one.unit_value) for one in granted])
    return answers


def breaker_denial(account: str, why: str) -> Denial:
    return Denial(code="breaker_open", message=f"the breaker of {account} is open until it is reset by hand: {why}")


def read_state(database: Database, account: str, with_loss: bool) -> AccountState:
    """What all runs of an account hold and have granted; the day's loss where it is wanted."""
    row = database.execute(_STATE, {"account": account}).fetchone()
    assert row is not None
    positions, orders = row[0] or [], row[1] or []
    # The newest price that any run knows of a symbol is taken for all.
    prices = {symbol: price for _, symbol, _, price, _ in sorted(positions, key=lambda one: one[4])}
    holdings = [
        Holding(run, symbol, Decimal(qty), Decimal(prices[symbol]) * instrument_of(symbol).multiplier)
        for run, symbol, qty, _, _ in positions
    ]
    openings = [
        Opening(order_id, run, symbol, Side(side), Decimal(qty), Decimal(unit), group, replaces)
        for order_id, run, symbol, side, qty, unit, group, replaces in orders
    ]
    return AccountState(holdings, openings, _loss(database, account, holdings) if with_loss else Decimal(0))


def _loss(database: Database, account: str, holdings: Sequence[Holding]) -> Decimal:
    """What the runs that were open today lost since 00:00 UTC, what they hold valued at its last mark."""
    midnight = database.execute(_MIDNIGHT).fetchone()
    assert midnight is not None
    days = database.execute(_DAY, {"account": account, "midnight": midnight[0]}).fetchall()
    began = sum((began for _, _, began in days), Decimal(0))
    cash = sum((cash for _, cash, _ in days), Decimal(0))
    todays = {run for run, _, _ in days}
    held = sum((one.qty * one.unit_value for one in holdings if one.run in todays), Decimal(0))
    return began - cash - held


@cache
def _book(pid: int) -> AccountBook:
    made = AccountBook(conninfo())
    atexit.register(made.close)
    return made


def book() -> AccountBook:
    """The account book of this process; a forked child gets its own."""
    return _book(os.getpid())
