"""What can be asked at Interactive Brokers: what is open, what became of an order, what was traded; and withdrawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from brokers.base import OutOfReach, VenueFill
from brokers.ibkr import mapping
from brokers.ibkr.executions import execution_of
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from brokers.known_orders import has_terms
from brokers.sightings import VenueOrder
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Transient
from trading.engine.orders import OrderRecord, OrderRequest, Side
from trading.engine.updates import UpdateKind

if TYPE_CHECKING:
    from brokers.ibkr.wire import Trade

#: Added to a client id that is taken, for a connection that can only look.
LOOKING: Final = 200


def open_connection(address: tuple[str, int, int]) -> Questions:
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
    return Questions(wire, client_id, outsider=client_id != address[2])


class Questions:
    """Asked over a session's own wire, or from outside.

    Cancels and executions reach only orders of the same client id; open orders are told to all. ``name_of`` tells whose
    an order is by its permanent id, where that is known better than by its reference. An ``outsider`` can only look.
    """

    def __init__(
        self,
        wire: IbThread,
        client_id: int,
        name_of: Callable[[str], str | None] = lambda permanent: None,
        outsider: bool = False,
    ) -> None:
        self.wire = wire
        self._outsider = outsider
        self._client_id = client_id
        self._name_of = name_of

    def open_orders(self) -> list[VenueOrder]:
        return [self._shown(trade) for trade in self.wire.call(self._open())]

    def orders(self, since: int | None) -> list[VenueOrder]:
        """Those that are open, and those of today that are over. The venue does not say when an order was made: one
        that another connection has sent counts as made at its first news here; nor at which price others' orders were
        filled that are over: these are left out."""
        found, fills = self.wire.call(self._all())
        executed: dict[int, list[Any]] = {}
        for fill in latest(fills):
            executed.setdefault(fill.execution.permId, []).append(fill)
        return [
            self._shown(trade, executed.get(trade.order.permId, ()))
            for trade in found
            if (since is None or _first_news(trade) >= since)
            and (trade.order.permId in executed or trade.orderStatus.filled or not _figure(trade.order.filledQuantity))
        ]

    async def _open(self) -> list[Trade]:
        found = await self.wire.ask(self.wire.ib.reqAllOpenOrdersAsync)
        return [trade for trade in found if not trade.isDone()]

    async def _over(self) -> list[Trade]:
        completed = await self.wire.ask(lambda: self.wire.ib.reqCompletedOrdersAsync(False))
        return [trade for trade in [*self.wire.ib.trades(), *completed] if trade.isDone()]

    async def _all(self) -> tuple[list[Trade], Sequence[Any]]:
        """The orders, and the executions that this client is told."""
        found = {_id_of(trade): trade for trade in reversed(await self._over())}
        found |= {_id_of(trade): trade for trade in await self._open()}
        return list(found.values()), await self._executions()

    def find(self, order: OrderRecord) -> VenueOrder | None:
        """What is known of an order of today; None where that is nothing, or where it is not this connection's.

        Raises `Transient` where an outsider does not see it open: it is told neither of ends nor of fills.
        """
        return self.wire.call(self._find(order))

    async def _find(self, order: OrderRecord) -> VenueOrder | None:
        """By its permanent id or its reference; one that took another's place, also by that one's with its own terms.

        The venue counts what was filled before it took the place as its own.
        """
        still_open = [trade for trade in await self._open() if self._is(trade, order)]
        fills = latest(await self._executions())
        known = still_open or [trade for trade in await self._over() if self._is(trade, order)]
        names = [(fill.execution.permId, fill.execution.orderRef, order) for fill in fills]
        executed = [
            fill
            for fill, name in zip(fills, names, strict=True)
            if self._is_called(*name) or (known and self._is_at_the_place(*name))
        ]
        if not known or not (still_open or self._tells(known[0], executed)):
            if self._outsider and not order.external:
                raise Transient(f"ibkr tells what became of {order.client_order_id} to the client alone that sent it")
            return _of_executions(order, executed) if executed else None
        return self._shown(known[0], executed, order.client_order_id)

    def _tells(self, trade: Trade, executed: Sequence[Any]) -> bool:
        """Whether all that an order which is over has filled is told to this client: the venue's list of such orders
        says how much that is, and not whose they were."""
        if trade.order.clientId == self._client_id:
            return True
        return _figure(trade.order.filledQuantity) == _sums(executed)[0] and not self._outsider

    def _is(self, trade: Trade, order: OrderRecord) -> bool:
        if self._is_called(trade.order.permId, trade.order.orderRef, order):
            return True
        is_there = self._is_at_the_place(trade.order.permId, trade.order.orderRef, order)
        return is_there and has_terms(mapping.terms(order.symbol, trade.order), order)

    def _is_at_the_place(self, permanent: int, reference: str, order: OrderRecord) -> bool:
        """Whether it is the order whose place this one was to take, or has taken: it keeps its reference."""
        settled = self._name_of(str(permanent)) not in (None, order.replaces, order.client_order_id)
        return bool(order.replaces) and reference == order.replaces and not settled

    def _is_called(self, permanent: int, reference: str, order: OrderRecord) -> bool:
        name = self._name_of(str(permanent))
        return order.client_order_id in (name, reference if name is None else "")

    def fills(self, since: int) -> list[VenueFill]:
        """Those of today's executions; a corrected one as it was corrected last."""
        found = [_fill_of(fill, self._name_of) for fill in latest(self.wire.call(self._executions()))]
        return sorted((one for one in found if one.time >= since), key=lambda one: one.time)

    async def _executions(self) -> Sequence[Any]:
        found: Sequence[Any] = await self.wire.ib.reqExecutionsAsync()
        return found

    def withdraw(self, shown: VenueOrder) -> None:
        for trade in self.wire.call(self._open()):
            if _id_of(trade) != shown.venue_order_id:
                continue
            if trade.order.clientId != self._client_id:
                raise OutOfReach(f"ibkr: order {shown.client_order_id} belongs to client {trade.order.clientId}")
            self.wire.soon(self.wire.ib.cancelOrder, trade.order)

    def cancel_all(self) -> int:
        """Every order of this account, those of other programs and hands too."""
        count = len(self.wire.call(self._open()))
        self.wire.soon(self.wire.ib.reqGlobalCancel)
        return count

    def _shown(self, trade: Trade, executed: Sequence[Any] = (), name: str = "") -> VenueOrder:
        """An order with what its executions, where they are known, say of fills and commissions."""
        order, status = trade.order, trade.orderStatus
        try:
            terms = mapping.terms(mapping.symbol(trade.contract, {}), order)
            filled, average, fee = _sums(executed)
            if not executed:
                filled, average = _figure(status.filled), _figure(status.avgFillPrice)
        except (ArithmeticError, ValueError) as error:
            raise Transient(f"ibkr gave an answer that cannot be read: {error!r}") from error
        return VenueOrder(
            client_order_id=name or self._name_of(str(order.permId)) or order.orderRef,
            venue_order_id=_id_of(trade),
            state=mapping.state(status.status),
            terms=terms,
            time=to_nanos(datetime.now(UTC)),
            filled_qty=filled,
            avg_price=average,
            fee=fee,
        )


def _first_news(trade: Trade) -> int:
    return to_nanos(trade.log[0].time if trade.log else datetime.now(UTC))


def latest(fills: Sequence[Any]) -> list[Any]:
    """Executions without those that another one has corrected."""
    found: dict[str, Any] = {}
    for fill in fills:
        root = execution_of(fill.execution.execId)
        if root not in found or fill.execution.execId > found[root].execution.execId:
            found[root] = fill
    return list(found.values())


def _fill_of(fill: Any, name_of: Callable[[str], str | None]) -> VenueFill:
    execution = fill.execution
    return VenueFill(
        client_order_id=name_of(str(execution.permId)) or execution.orderRef,
        venue_order_id=str(execution.permId),
        execution_id=execution.execId,
        symbol=mapping.symbol(fill.contract, {}),
        side=Side.BUY if execution.side == "BOT" else Side.SELL,
        qty=mapping.figure(execution.shares),
        price=mapping.figure(execution.price),
        fee=_figure(fill.commissionReport.commission),
        time=to_nanos(execution.time),
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
