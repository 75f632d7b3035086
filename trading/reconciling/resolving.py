"""Orders whose fate nobody knows: their venue is asked for them by their own ids until it has told.

An order is in doubt when its answer was lost, or when its owner was lost before it could be sent or heard of. What is
shown is taken as the venue's word; fills come by the adapter, which knows the order as the run's own. What is never
shown, once the call that may have sent it must be over, has never arrived.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from brokers.base import IAsyncBrokerage, Recalled
from brokers.sightings import VenueOrder
from trading.connections import connect
from trading.engine.bars import to_nanos
from trading.engine.effects import Effect, Replace, Submit
from trading.engine.engine import Engine
from trading.engine.errors import VenueError
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.records import Kind
from trading.engine.risk import Denial
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate
from trading.ledger.writing import AWAY

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: A call that sends an order is over by then, whoever made it: the timeouts of its client have passed.
SETTLED_SECONDS: Final = 16.0
#: An order that was decided on longer ago is not sent any more.
INTENT_SECONDS: Final = 60.0
#: From one question about an order to the next.
ASK_SECONDS: Final = 1.0
NEVER_SHOWN: Final = "the venue has never shown it"
_UNHEARD: Final = "its owner was lost before the venue's answer was heard"

_ENDS: Final = frozenset({UpdateKind.CANCELLED, UpdateKind.EXPIRED, UpdateKind.REPLACED})
_BOOKED: Final = """
    SELECT o.id, coalesce(sum(f.qty * f.price), 0), coalesce(sum(f.fee), 0),
           array_remove(array_agg(f.venue_execution_id), NULL), e.recorded_at,
           coalesce(sum(f.qty) FILTER (WHERE f.order_id <> o.id), 0)
      FROM orders o JOIN ledger_events e ON e.run_id = o.run_id AND e.seq = o.seq
                    LEFT JOIN orders same ON same.run_id = o.run_id
                          AND (same.id = o.id OR same.venue_order_id = o.venue_order_id)
                    LEFT JOIN fills f ON f.run_id = o.run_id AND f.order_id = same.id
     WHERE o.run_id = %s AND o.id = ANY(%s) GROUP BY o.id, e.recorded_at
"""
_AGE: Final = """
    SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float
      FROM orders o JOIN ledger_events e ON e.run_id = o.run_id AND e.seq = o.seq
     WHERE o.run_id = %s AND o.id = %s
"""


def recalled(run_id: UUID, orders: Sequence[OrderRecord]) -> list[Recalled]:
    """What the ledger has of a run's open orders, for its adapter to go on from."""
    if not orders:
        return []
    with connect() as database:
        rows = database.execute(_BOOKED, [run_id, [order.id for order in orders]]).fetchall()
    booked = {row[0]: (row[1], row[2], frozenset(row[3]), to_nanos(row[4]), row[5]) for row in rows}
    return [Recalled(order, *booked.get(order.id, ())) for order in orders]


async def persistently(threads: Executor, what: str, ask: Callable[[], Answer]) -> Answer:
    """What the database answers to ``ask`` in one of these threads, asked again for as long as it is away."""
    while True:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, ask)
        except AWAY as error:
            log.warning("%s is not known yet: %s", what, error)
            await asyncio.sleep(ASK_SECONDS)


class Doubts:
    """Of one session. ``tell`` takes an update, ``send`` carries out effects through the order gate."""

    def __init__(
        self,
        run_id: UUID,
        engine: Engine,
        brokerage: IAsyncBrokerage,
        threads: Executor,
        *,
        tell: Callable[[VenueUpdate], None],
        send: Callable[[Sequence[Effect]], Awaitable[None]],
    ) -> None:
        self._run_id = run_id
        self._engine = engine
        self._brokerage = brokerage
        self._threads = threads
        self._tell = tell
        self._send = send
        self._since: dict[str, float] = {}
        self._began = time.monotonic()
        unwritten = {fact.order.id for fact in engine.records if fact.kind is Kind.ORDER_INTENDED and fact.order}
        intended = (order.id for order in engine.open_orders() if order.status is OrderStatus.INTENDED)
        #: Orders that an owner which was lost may have sent: their intents were written.
        self._adrift = {order_id for order_id in intended if order_id not in unwritten}

    async def look(self) -> None:
        """Ask once for each order in doubt; to be called each `ASK_SECONDS`."""
        doubtful = [order for order in self._engine.open_orders() if order.in_doubt]
        self._since = {order.id: self._since.get(order.id, time.monotonic()) for order in doubtful}
        for order in doubtful:
            try:
                shown = await self._brokerage.query_order_async(order)
            except (VenueError, TimeoutError, OSError) as error:
                log.warning("what became of order %s is not known yet: %s", order.id, error)
                continue
            if shown is not None:
                self._take(order, shown)
            elif order.in_doubt and time.monotonic() - self._since[order.id] > SETTLED_SECONDS:
                self._say(UpdateKind.REJECTED, order, NEVER_SHOWN)

    def _take(self, order: OrderRecord, shown: VenueOrder) -> None:
        """The venue's word on the order's state; an end counts once all that was filled before it is booked."""
        if shown.state is UpdateKind.REJECTED:
            self._say(UpdateKind.REJECTED, order, shown.reason, shown)
            return
        self._say(UpdateKind.ACCEPTED, order, "", shown)
        if shown.state in _ENDS and shown.filled_qty <= order.filled_qty:
            self._say(shown.state, order, shown.reason, shown)

    def _say(self, kind: UpdateKind, order: OrderRecord, reason: str, shown: VenueOrder | None = None) -> None:
        venue_order_id = None if shown is None else shown.venue_order_id
        now = to_nanos(datetime.now(UTC)) if shown is None else shown.time
        self._tell(OrderUpdate(kind, order.client_order_id, now, venue_order_id=venue_order_id, reason=reason))

    # After a loss of the owner.

    def doubt(self) -> None:
        """What was on its way when the owner was lost may have arrived or not."""
        for order in self._engine.open_orders():
            if order.status is OrderStatus.SUBMITTED:
                self._say(UpdateKind.UNKNOWN, order, _UNHEARD)

    def presume_sent(self) -> None:
        """To be called before orders are cancelled: one that may have left is not over by our word alone."""
        for order in self._engine.open_orders():
            if order.id in self._adrift and order.status is OrderStatus.INTENDED:
                self._engine.on_submitted(order)
                self._say(UpdateKind.UNKNOWN, order, _UNHEARD)
                self._since[order.id] = self._began

    async def pursue(self, effects: Sequence[Effect]) -> None:
        """Carry out what was decided and may not have been done: an order that the venue does not show leaves now under
        its own name, unless it has become too old for it."""
        for effect in effects:
            asked = _orders(effect)
            if not asked:
                await self._send([effect])
                continue
            if any(order.id in self._adrift for order in asked) and await self._has_left(asked):
                continue
            self._adrift.difference_update(order.id for order in asked)
            age = await self._age(asked[0])
            if age > INTENT_SECONDS:
                self._expire(asked, age)
            else:
                await self._send([effect])

    async def _has_left(self, asked: Sequence[OrderRecord]) -> bool:
        """Whether orders are not to be sent: they ended meanwhile, or the venue shows them, or does not tell until they
        are too old. False once it has told, after all calls that may have sent them, that it has none of them."""
        first = asked[0]
        while first.status in (OrderStatus.INTENDED, OrderStatus.CANCELLED):
            try:
                shown = await self._brokerage.query_order_async(first)
                if shown is None and self._all_calls_are_over():
                    return False
                if shown is not None and first.status is OrderStatus.INTENDED:
                    self._find(asked, shown)
                elif shown is not None and shown.is_over:
                    return True
                elif shown is not None:
                    # It was cancelled before it was known to have left, as its strategy may do at any bar.
                    await self._brokerage.withdraw_async(shown)
            except (VenueError, TimeoutError, OSError) as error:
                log.warning("whether order %s has left is not known yet: %s", first.id, error)
                if await self._age(first) > INTENT_SECONDS:
                    # From here on it is asked for like all whose answer was lost.
                    self.presume_sent()
            await asyncio.sleep(ASK_SECONDS)
        return True

    def _all_calls_are_over(self) -> bool:
        """Whether nobody before can be about to send: they could until they had lost the run, whenever they decided."""
        return time.monotonic() - self._began > SETTLED_SECONDS

    def _find(self, asked: Sequence[OrderRecord], shown: VenueOrder) -> None:
        waiting = [order for order in asked if order.status is OrderStatus.INTENDED]
        self._engine.on_submitted(*waiting)
        self._take(asked[0], shown)
        for order in waiting[1:]:
            self._say(UpdateKind.UNKNOWN, order, "it left with an order whose owner was lost")

    async def _age(self, order: OrderRecord) -> float:
        """Seconds since the order's intent was written, by the database's clock."""
        return await persistently(self._threads, f"the age of order {order.id}", partial(self._read_age, order.id))

    def _read_age(self, order_id: str) -> float:
        with connect() as database:
            row = database.execute(_AGE, [self._run_id, order_id]).fetchone()
        return INTENT_SECONDS * 2 if row is None else float(row[0])

    def _expire(self, asked: Sequence[OrderRecord], age: float) -> None:
        waiting = [order for order in asked if order.status is OrderStatus.INTENDED]
        if waiting:
            message = f"it was decided on {age:.0f} s ago and had not left when its owner was lost"
            denial = Denial(code="intent_expired", message=message)
            log.warning("order %s is not sent: %s", waiting[0].id, message)
            self._engine.on_withheld(waiting[0], denial, *waiting[1:])


def _orders(effect: Effect) -> tuple[OrderRecord, ...]:
    """The orders that an effect sends; none for a cancel."""
    if isinstance(effect, Submit):
        return (effect.order, *effect.linked)
    return (effect.by,) if isinstance(effect, Replace) else ()
