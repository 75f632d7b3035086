"""Looking at accounts: one session of each process asks its venue for all of them, after each connection of its
updates, on news of an order of others, and each minute."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import psycopg

from brokers.base import IAsyncBrokerage, NotOffered
from brokers.sightings import VenueOrder
from risk.alerts import raise_alert
from trading.connections import connect
from trading.engine.bars import NANOS_PER_SECOND, to_nanos
from trading.engine.errors import Transient, VenueError
from trading.engine.orders import OrderRecord, OrderStatus
from trading.reconciling import book
from trading.reconciling.compare import Found, Shown
from trading.reconciling.settling import Key, Settled, settle

log = logging.getLogger(__name__)

#: From one whole look to the next, and while something does not agree; from the first look at what was found to the one
#: that puts it before a person; and to the next try where it failed.
EVERY_SECONDS: Final = 60.0
STANDING_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 3.0
RETRY_SECONDS: Final = 5.0
#: How long a session that begins asks for a first look.
BEGIN_SECONDS: Final = 30.0
#: An order may be listed as a little older than the look that should have shown it.
MARGIN: Final = 60 * NANOS_PER_SECOND
_STEADY_TRIES: Final = 5

#: What asks the database on behalf of sessions, whose loops never wait for it.
threads: Final = ThreadPoolExecutor(2, thread_name_prefix="reconciling")
FAILURES: Final = (VenueError, TimeoutError, OSError, psycopg.Error)


@dataclass
class _Account:
    """What this process knows of its looks at an account: when it looked last and is to look next, and what was found.

    ``seen`` is what did not agree at the last look: its amount, and since when each look has found it with that amount.
    ``news`` is whether some of it is too new to be before a person.
    """

    due: float = 0.0
    looked_at: float = 0.0
    busy: bool = False
    seen: dict[Key, tuple[Decimal, float]] = field(default_factory=dict)
    news: bool = False
    trouble: str = ""


_accounts: Final[dict[str, _Account]] = {}
_lock: Final = threading.Lock()


class Looks:
    """Of one session at a venue that goes on without it."""

    def __init__(self, brokerage: IAsyncBrokerage) -> None:
        self._brokerage = brokerage
        self._name = brokerage.account
        with _lock:
            self._account = _accounts.setdefault(self._name, _Account())
        self._connections = brokerage.connections

    @property
    def trouble(self) -> str:
        """Why the account could not be compared last; empty while it can."""
        return self._account.trouble

    def soon(self) -> None:
        """Look as soon as may be: something has happened."""
        self._account.due = min(self._account.due, self._account.looked_at + AGAIN_SECONDS)

    async def begin(self) -> None:
        """Look before the first order, twice where something does not agree; raises what the venue raises where it
        does not answer for `BEGIN_SECONDS`."""
        self._connections = self._brokerage.connections
        give_up = time.monotonic() + BEGIN_SECONDS
        while True:
            try:
                if (await self.look(may_begin=True)).found:
                    await asyncio.sleep(AGAIN_SECONDS)
                    await self.look()
                return
            except FAILURES as error:
                if time.monotonic() > give_up:
                    raise
                log.warning("%s is not compared yet: %s", self._name, error)
                await asyncio.sleep(1.0)

    async def twice(self) -> list[Found]:
        """Two looks, one after the other: what does not agree, and is before a person from here on."""
        if (await self.look()).found:
            await asyncio.sleep(AGAIN_SECONDS)
        return (await self.look()).found

    async def look_if_due(self) -> None:
        """To be called each second."""
        account, connections = self._account, self._brokerage.connections
        if connections > self._connections:
            # It stays due until one looks: updates may not flow yet, or another session be amid a look.
            account.due = 0.0
        self._connections = connections
        if not self._brokerage.updates_healthy:
            return
        with _lock:
            if account.busy or time.monotonic() < account.due:
                return
            account.busy = True
            account.due = time.monotonic() + EVERY_SECONDS
        try:
            await self.look()
            if account.news:
                self.soon()
            elif account.seen:
                # What was only late to be told holds orders back no longer than it must.
                account.due = min(account.due, account.looked_at + STANDING_SECONDS)
        except FAILURES as error:
            log.warning("%s could not be compared: %s", self._name, error)
            account.trouble = f"the account cannot be compared with its venue: {error}"
            account.due = min(account.due, time.monotonic() + RETRY_SECONDS)
        finally:
            account.busy = False

    async def look(self, *, may_begin: bool = False) -> Settled:
        """One whole look; raises one of `FAILURES`, having changed nothing."""
        loop, account = asyncio.get_running_loop(), self._account
        asked_at = time.monotonic()
        since, waiting = await loop.run_in_executor(threads, self._known)
        shown, gone = await self._shown(since, waiting, steady=may_begin)
        shown_at = time.monotonic()
        # Looks of several sessions may come at once: what both of them see may still be on its way to either side.
        before = {key: amount for key, (amount, at) in account.seen.items() if asked_at - at >= AGAIN_SECONDS}
        settled = await loop.run_in_executor(threads, self._settle, shown, before, gone, may_begin)
        account.looked_at, account.trouble = time.monotonic(), ""
        account.news = any(before.get(one.key) != one.amount for one in settled.found)
        account.seen = {one.key: (one.amount, self._seen_since(one, shown_at)) for one in settled.found}
        for one in settled.opened:
            _tell(self._name, one)
        return settled

    def _seen_since(self, one: Found, now: float) -> float:
        amount, at = self._account.seen.get(one.key, (None, now))
        return at if amount == one.amount else now

    def _known(self) -> tuple[int, list[VenueOrder]]:
        """From when orders are to be listed, and the orders of others that could still trade."""
        with connect() as database:
            look = book.last_look(database, self._name)
            waiting = book.still_open(database, self._name)
        return to_nanos(datetime.now(UTC) if look is None else look.looked_at) - MARGIN, waiting

    async def _shown(self, since: int, waiting: list[VenueOrder], *, steady: bool) -> tuple[Shown, list[VenueOrder]]:
        """What the venue shows, and which of the orders that were waited for it does not show any more; where it is to
        be ``steady``, positions must not have changed while the rest was asked for."""
        venue = self._brokerage
        for _ in range(_STEADY_TRIES):
            positions = await venue.query_positions_async()
            account = await venue.query_account_async()
            listed = [*await self._made_since(since), *await venue.query_open_orders_async()]
            orders = {order.venue_order_id: order for order in listed}
            if not steady or await venue.query_positions_async() == positions:
                break
        else:
            raise Transient(f"the positions of {self._name} do not come to rest")
        gone = []
        for one in waiting:
            if one.venue_order_id not in orders:
                found = await venue.query_order_async(as_asked(one))
                if found is None:
                    gone.append(one)
                else:
                    orders[found.venue_order_id] = found
        return Shown(account, positions, list(orders.values())), gone

    async def _made_since(self, since: int) -> list[VenueOrder]:
        try:
            return await self._brokerage.query_orders_async(since)
        except NotOffered:
            return []

    def _settle(self, shown: Shown, before: dict[Key, Decimal], gone: list[VenueOrder], may_begin: bool) -> Settled:
        with connect() as database:
            return settle(database, self._name, shown, before=before, gone=gone, may_begin=may_begin)


def as_asked(order: VenueOrder) -> OrderRecord:
    """An order of others, as a venue is asked about one of ours."""
    terms = order.terms
    return OrderRecord(
        id=order.client_order_id,
        client_order_id=order.client_order_id,
        symbol=terms.symbol,
        side=terms.side,
        qty=terms.qty,
        type=terms.type,
        time_in_force=terms.time_in_force,
        limit_price=terms.limit_price,
        created_at=order.time,
        signal="",
        external=True,
        status=OrderStatus.ACCEPTED,
        venue_order_id=None if order.venue_order_id == order.client_order_id else order.venue_order_id,
    )


def _tell(account: str, one: Found) -> None:
    key = f"unreconciled:{account}:{one.kind}:{one.subject}"
    subject = f"{account} does not agree with its venue: {one.sentence}"
    held = "Nothing new is opened there until it is solved under Reconciliation." if one.symbol else ""
    raise_alert("unreconciled", subject, held, account=account, dedupe_key=key)
