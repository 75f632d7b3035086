"""The orders of a run at Interactive Brokers: sent, changed, cancelled, and what the venue shows of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from brokers.base import Recalled
from brokers.ibkr import mapping
from brokers.ibkr.changes import Change, Changes, filled, is_done
from brokers.ibkr.contracts import Contracts
from brokers.ibkr.days import is_of_today
from brokers.ibkr.executions import Executions
from brokers.ibkr.wire import IbThread
from brokers.known_orders import KnownOrders
from brokers.sightings import VenueOrder
from trading.engine.bars import to_nanos
from trading.engine.errors import Rejected, Transient, Unknown
from trading.engine.orders import FINAL_STATUSES, OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind

if TYPE_CHECKING:
    from brokers.ibkr.wire import Trade

log = logging.getLogger(__name__)

#: A new order that the gateway has not acknowledged by then is unknown.
ACKNOWLEDGE_SECONDS: Final = 5.0
#: From one question for all executions of the day to the next, while nothing seems to be missing.
EXECUTIONS_SECONDS: Final = 30.0
_UNLISTED: Final = "ibkr lists it no longer"


class Orders:
    """To be used in the wire's loop alone; ``ours`` are the client order ids of the run's orders.

    A cancel that the client library derives from an error is provisional: the order is asked for before it counts.
    """

    def __init__(
        self,
        wire: IbThread,
        contracts: Contracts,
        known: KnownOrders,
        executions: Executions,
        ours: set[str],
        tell: Callable[[Sequence[OrderUpdate]], None],
        let_go: Callable[..., None],
    ) -> None:
        self._wire = wire
        self._contracts = contracts
        self._known = known
        self._executions = executions
        self._ours = ours
        self._tell = tell
        self._let_go = let_go
        self._trades: dict[str, Trade] = {}
        self._errors: dict[int, tuple[int, str]] = {}
        self._changes = Changes(self._trades, known, tell, self._take_fill, self._is_of_today)
        self._missed: set[int] = set()
        self._asked_at = 0.0
        self._recalled: dict[int, OrderRecord] = {}
        ib = wire.ib
        ib.errorEvent += self._on_error
        ib.orderStatusEvent += self._on_status
        ib.openOrderEvent += self._settle
        ib.execDetailsEvent += lambda trade, fill: self._on_fill(fill)
        ib.commissionReportEvent += lambda trade, fill, report: executions.commission(fill)

    def recall(self, orders: Sequence[Recalled]) -> None:
        """Hear, before connecting, which orders the run has from before."""
        self._changes.recall(orders, self._wire.order)
        still_open = [one.order for one in orders if one.order.status not in FINAL_STATUSES]
        named = [(order.venue_order_id or "", order) for order in still_open]
        self._recalled = {int(permanent): order for permanent, order in named if permanent.isdigit()}

    # What the run wants.

    async def submit(self, orders: Sequence[OrderRecord], fields: Sequence[dict[str, Any]]) -> None:
        """Send linked orders, a parent before its children; the last one lets all of them go."""
        contracts = [await self._contracts.find(one.symbol) for one in orders]
        await self._wire.room(len(orders))
        self._let_go(*orders)
        numbers = {one.id: self._wire.ib.client.getReqId() for one in orders}
        for position, (record, contract, names) in enumerate(zip(orders, contracts, fields, strict=True)):
            placed = self._wire.order(**names, orderId=numbers[record.id], transmit=position == len(orders) - 1)
            placed.parentId = numbers.get(record.parent_id, 0)
            self._ours.add(record.client_order_id)
            self._trades[record.client_order_id] = self._wire.ib.placeOrder(contract, placed)
        await self._acknowledged(self._trades[orders[0].client_order_id])

    async def _acknowledged(self, trade: Trade) -> None:
        """Return once the gateway has said anything about the order; raises `Rejected` or `Unknown`."""
        give_up = asyncio.get_running_loop().time() + ACKNOWLEDGE_SECONDS
        while True:
            code, text = self._errors.get(trade.order.orderId, (0, ""))
            if code in mapping.REJECTS:
                raise Rejected(text)
            if trade.orderStatus.status not in ("PendingSubmit", "ApiPending"):
                return
            await self._wait(give_up, "ibkr has not acknowledged the order")

    async def replace(self, order: OrderRecord, by: OrderRecord, fields: dict[str, Any]) -> None:
        """Give an open order the terms of ``by``; returns once the venue shows it with them."""
        await self._wire.room(1)
        trade = self._trades.get(order.client_order_id)
        if trade is None:
            raise Transient(f"ibkr has not shown order {order.client_order_id} yet")
        number, base = trade.order.orderId, filled(trade)
        self._changes.forget(number, by)
        if is_done(trade) or self._changes.has(number):
            raise Rejected(f"ibkr: order {order.client_order_id} {'has ended' if is_done(trade) else 'is changing'}")
        fields = {**fields, "orderRef": trade.order.orderRef, "totalQuantity": float(base + by.qty)}
        wanted = self._wire.order(**fields, orderId=number, parentId=trade.order.parentId)
        self._let_go(by)
        self._known.expect(by)
        self._ours.add(by.client_order_id)
        self._errors.pop(number, None)
        change = Change(order, by, base, wanted)
        self._changes.begin(trade, change)
        self._wire.ib.placeOrder(trade.contract, wanted)
        give_up = asyncio.get_running_loop().time() + ACKNOWLEDGE_SECONDS
        while not change.done:
            await self._wait(give_up, "ibkr has not said whether it has changed the order")
        if change.refused:
            raise Rejected(change.refused)

    async def _wait(self, give_up: float, otherwise: str) -> None:
        if not self._wire.ib.isConnected() or asyncio.get_running_loop().time() > give_up:
            raise Unknown(otherwise)
        await asyncio.sleep(0.01)

    def cancel(self, order: OrderRecord) -> None:
        trade = self._trades.get(order.client_order_id)
        if trade is None:
            raise Transient(f"ibkr has not shown order {order.client_order_id} yet")
        self._wire.soon(self._wire.ib.cancelOrder, trade.order)

    # What the venue shows.

    async def all_open(self) -> list[Trade]:
        found = await self._wire.ask(self._wire.ib.reqAllOpenOrdersAsync)
        return [trade for trade in found if not is_done(trade)]

    async def look(self, thoroughly: bool) -> None:
        """Take every open order, of other hands too, and every execution of today where one may have been missed, or
        after `EXECUTIONS_SECONDS`: a day has many."""
        shown = await self.all_open()
        await self._changes.take_up([*shown, *self._wire.ib.trades()])
        for trade in shown:
            self._settle(trade, self._changes.given_up(trade))
            self._see(trade)
        for trade in self._wire.ib.trades():
            name = self._name(trade.order.permId, trade.order.orderRef)
            if name in self._ours and not self._changes.has(trade.order.orderId):
                self._trades[name] = trade
        if thoroughly or self._may_have_missed(shown) or time.monotonic() - self._asked_at > EXECUTIONS_SECONDS:
            await self._take_executions()
        await self._miss({trade.order.permId for trade in shown})

    def _may_have_missed(self, shown: Sequence[Trade]) -> bool:
        """Whether an order is not open of which no end was heard, or filled for more than its executions say."""
        still_open = {trade.order.permId for trade in shown}
        every = self._wire.ib.trades()
        gone = any(trade.order.permId not in still_open and not is_done(trade) for trade in every)
        return gone or any(mapping.figure(one.orderStatus.filled) > mapping.figure(one.filled()) for one in every)

    async def _miss(self, shown: set[int]) -> None:
        """Take what is open no more, without a word that reached us, as cancelled; what it filled, its executions tell.

        Those of other connections are not told here: their fills show in the account's positions. What the run has from
        before may have ended before this connection: the venue knows it for a day. One that is older may as well have
        been filled, and is left as it is.
        """
        self._recalled = {permanent: order for permanent, order in self._recalled.items() if permanent not in shown}
        for trade in self._wire.ib.trades():
            if trade.order.permId in self._recalled and is_done(trade):
                del self._recalled[trade.order.permId]
                self._see(trade)
        for permanent, order in [one for one in self._recalled.items() if one[0] in self._missed]:
            ended = await self._is_of_today(order)
            self._recalled.pop(permanent, None)
            if ended:
                update = OrderUpdate(UpdateKind.CANCELLED, self._name(permanent, ""), _now(), reason=_UNLISTED)
                self._tell([update])
            else:
                log.error(
                    "ibkr lists order %s no longer, and tells of today's orders alone: it stays open in the books; "
                    "look in TWS or in the account's statement what became of it",
                    order.id,
                )
        gone = [trade for trade in self._wire.ib.openTrades() if trade.order.permId not in {0, *shown}]
        for trade in gone:
            if trade.order.permId in self._missed:
                self._end(trade, _UNLISTED)
        self._missed = {trade.order.permId for trade in gone} | self._recalled.keys()

    async def _is_of_today(self, order: OrderRecord) -> bool:
        return await is_of_today(self._wire, self._known.decided_at(order))

    async def _take_executions(self) -> None:
        self._asked_at = time.monotonic()
        for fill in await self._wire.ib.reqExecutionsAsync():
            self._take_fill(fill)

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        trade = next((one for one in self._trades.values() if one.order.orderId == request), None)
        if trade is None:
            return
        self._errors[request] = (code, text)
        if code in mapping.REJECTS and not self._changes.has(request):
            self._see(trade)
        elif not mapping.is_notice(code):
            self._wire.later(self._confirm(trade, code, text))

    def _on_status(self, trade: Trade) -> None:
        code = trade.log[-1].errorCode if trade.log else 0
        if trade.orderStatus.status == "Cancelled" and code not in (0, 202):
            # The library made this of an error, which comes next. The order may well live, its end still to come.
            if code not in mapping.REJECTS or self._changes.has(trade.order.orderId):
                trade.orderStatus.status = trade.log[-2].status if len(trade.log) > 1 else "PendingSubmit"
            return
        self._settle(trade)
        self._see(trade)

    async def _confirm(self, trade: Trade, code: int, reason: str) -> None:
        """Ask what became of an order after an error about it, about a change of it or about its cancel."""
        number = trade.order.orderId
        own = await self._wire.ask(self._wire.ib.reqOpenOrdersAsync)
        is_open = any(one.order.orderId == number and not is_done(one) for one in own)
        self._settle(trade, reason)
        if is_open and code in mapping.CANCEL_FAILED:
            name = self._name(trade.order.permId, trade.order.orderRef)
            self._tell([OrderUpdate(UpdateKind.CANCEL_REFUSED, name, _now(), reason=reason)])
        elif not is_open:
            await self._take_executions()
            self._end(trade, reason)

    def _end(self, trade: Trade, reason: str) -> None:
        """Take an order that is open no more as cancelled, unless its executions have filled it."""
        if filled(trade) < mapping.figure(trade.order.totalQuantity):
            trade.orderStatus.status = "Cancelled"
            self._settle(trade)
            self._see(trade, reason)

    def _settle(self, trade: Trade, refusal: str = "") -> None:
        """See what became of a change, of an order that this connection has sent: others have the same numbers."""
        if trade.order.clientId == self._wire.ib.client.clientId:
            self._changes.settle(trade, refusal)

    def _see(self, trade: Trade, reason: str = "") -> None:
        """Take an order's state. Fills of our own orders come as executions, with the venue's ids and commissions."""
        order, status = trade.order, trade.orderStatus
        name = self._name(order.permId, order.orderRef)
        ours = name in self._ours
        code, text = self._errors.get(order.orderId, (0, "")) if ours else (0, "")
        state = mapping.state(status.status, code)
        if state is None and not (status.filled and not ours):
            return
        shown = VenueOrder(
            client_order_id=name,
            venue_order_id=_id_of(trade),
            state=state,
            terms=mapping.terms(mapping.symbol(trade.contract, self._contracts.spelled), order),
            time=_now(),
            filled_qty=Decimal(0) if ours else mapping.figure(status.filled),
            avg_price=Decimal(0) if ours else mapping.figure(status.avgFillPrice),
            reason=reason or (text if state is not UpdateKind.ACCEPTED else ""),
        )
        self._known.see([shown])

    def _take_fill(self, fill: Any) -> None:
        self._on_fill(fill)
        self._executions.commission(fill)

    def _on_fill(self, fill: Any) -> None:
        execution = fill.execution
        name = self._changes.before(execution) or self._name(execution.permId, execution.orderRef)
        if name in self._ours and not self._changes.hold(fill):
            self._executions.execution(fill, name)

    def _name(self, permanent: int, reference: str) -> str:
        """Whose order it is: a changed one keeps the reference of the order whose place it took."""
        return self._known.name_of(str(permanent)) or reference


def _id_of(trade: Trade) -> str:
    return str(trade.order.permId or f"{trade.order.clientId}/{trade.order.orderId}")


def _now() -> int:
    return to_nanos(datetime.now(UTC))
