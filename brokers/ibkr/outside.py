"""Orders of other connections at Interactive Brokers: what is open, what became of one, and withdrawing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from brokers.base import OutOfReach
from brokers.ibkr import mapping
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from brokers.sightings import VenueOrder
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Transient
from trading.engine.orders import OrderRecord, OrderRequest
from trading.engine.updates import UpdateKind

if TYPE_CHECKING:
    from brokers.ibkr.wire import Trade

#: Added to a client id that is taken, for a connection that can only look.
LOOKING: Final = 200


def open_connection(address: tuple[str, int, int]) -> Outside:
    """Connect under the client id that the orders were sent with, or, while its session has it, only to look."""
    wire = IbThread("ibkr outside")
    host, port, client_id = address
    try:
        try:
            wire.call(wire.connect(address), CONNECT_SECONDS * 2)
        except Fatal:
            client_id += LOOKING
            wire.call(wire.connect((host, port, client_id)), CONNECT_SECONDS * 2)
    except BaseException:
        wire.stop()
        raise
    return Outside(wire, client_id)


class Outside:
    """Cancels and executions reach only orders of the same client id; open orders are told to all."""

    def __init__(self, wire: IbThread, client_id: int) -> None:
        self.wire = wire
        self._client_id = client_id

    def stop(self) -> None:
        self.wire.stop()

    def open_orders(self) -> list[VenueOrder]:
        return [_shown(trade) for trade in self.wire.call(self._open())]

    async def _open(self) -> list[Trade]:
        return [trade for trade in await self.wire.ib.reqAllOpenOrdersAsync() if not trade.isDone()]

    def find(self, order: OrderRecord) -> VenueOrder | None:
        """What is known of an order of today; None where that is nothing, or where it is not this connection's."""
        return self.wire.call(self._find(order))

    async def _find(self, order: OrderRecord) -> VenueOrder | None:
        ib, name = self.wire.ib, order.client_order_id
        still_open = [trade for trade in await self._open() if trade.order.orderRef == name]
        executed = [fill for fill in await ib.reqExecutionsAsync() if fill.execution.orderRef == name]
        ended = [*await ib.reqCompletedOrdersAsync(apiOnly=True), *ib.trades()]
        known = still_open or [one for one in ended if one.order.orderRef == name and one.isDone()]
        if known and (still_open or known[0].order.clientId == self._client_id):
            return _shown(known[0], executed)
        if not executed:
            return None
        return _of_executions(order, executed)

    def withdraw(self, shown: VenueOrder) -> None:
        for trade in self.wire.call(self._open()):
            if _id_of(trade) != shown.venue_order_id:
                continue
            if trade.order.clientId != self._client_id:
                raise OutOfReach(f"ibkr: order {shown.client_order_id} belongs to client {trade.order.clientId}")
            self.wire.soon(self.wire.ib.cancelOrder, trade.order)

    def cancel_all(self) -> int:
        count = len(self.wire.call(self._open()))
        self.wire.soon(self.wire.ib.reqGlobalCancel)
        return count


def _shown(trade: Trade, executed: Sequence[Any] = ()) -> VenueOrder:
    """An order with what its executions, where they are known, say of fills and commissions."""
    order, status = trade.order, trade.orderStatus
    try:
        terms = mapping.terms(mapping.symbol(trade.contract, {}), order)
        filled, average, fee = _sums(executed)
        filled, average = (filled, average) if executed else (_figure(status.filled), _figure(status.avgFillPrice))
    except (ArithmeticError, ValueError) as error:
        raise Transient(f"ibkr gave an answer that cannot be read: {error!r}") from error
    return VenueOrder(
        client_order_id=order.orderRef,
        venue_order_id=_id_of(trade),
        state=mapping.state(status.status),
        terms=terms,
        time=to_nanos(datetime.now(UTC)),
        filled_qty=filled,
        avg_price=average,
        fee=fee,
    )


def _of_executions(order: OrderRecord, executed: Sequence[Any]) -> VenueOrder:
    filled, average, fee = _sums(executed)
    return VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id=str(executed[0].execution.permId),
        state=UpdateKind.ACCEPTED,
        terms=OrderRequest(symbol=order.symbol, side=order.side, qty=order.qty),
        time=to_nanos(datetime.now(UTC)),
        filled_qty=filled,
        avg_price=average,
        fee=fee,
    )


def _sums(executed: Sequence[Any]) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity, average price and commissions of some executions."""
    filled, paid, fee = Decimal(0), Decimal(0), Decimal(0)
    for one in executed:
        qty = mapping.figure(one.execution.shares)
        filled += qty
        paid += qty * mapping.figure(one.execution.price)
        fee += _figure(one.commissionReport.commission)
    return filled, paid / filled if filled else filled, fee


def _figure(value: float) -> Decimal:
    """A figure of the protocol, zero where it is not set."""
    return mapping.figure(value) if abs(value) < mapping.UNSET else Decimal(0)


def _id_of(trade: Trade) -> str:
    return str(trade.order.permId or f"{trade.order.clientId}/{trade.order.orderId}")
