"""From what a strategy asks for to the orders that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from trading.engine.errors import InvalidValue
from trading.engine.open_orders import OpenOrders
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, ReplaceRequest, Side
from trading.engine.portfolio import Portfolio
from trading.engine.updates import ExternalOrder

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_BUY: Final = Side.BUY


class OrderMaker:
    """Makes the orders of one run and gives them their ids: the run's key and a number that only grows."""

    def __init__(self, run_key: str, portfolio: Portfolio, open_orders: OpenOrders) -> None:
        self._run_key = run_key
        self._positions = portfolio.positions
        self._open = open_orders
        self._sequence = 0

    def make(
        self, request: OrderRequest, now: int, parent_id: str = "", group: str = "", replaces: str = ""
    ) -> OrderRecord:
        """The order that a request becomes, without its linked orders; raises `InvalidValue` for a foreign symbol."""
        position = self._positions.get(request.symbol)
        if position is None:
            raise InvalidValue(f"strategy asked to trade {request.symbol}, which is not in the universe")
        self._sequence += 1
        order_id = f"{self._run_key}-{self._sequence}"
        # By position: names would cost as much as all the rest.
        order = OrderRecord(
            order_id,
            order_id,
            request.symbol,
            request.side,
            request.qty,
            request.type,
            request.time_in_force,
            request.limit_price,
            now,
            _signal(request, position.qty),
            request.reason,
            request.stop_price,
            request.trail_amount,
            request.trail_percent,
            request.expires_at,
            request.extended_hours,
            request.reduce_only,
            parent_id,
            group,
            replaces,
        )
        order.collateral = self._open.opening(order)
        return order

    def family(
        self,
        request: OrderRequest,
        now: int,
        take: Callable[[OrderRecord], None],
        parent_id: str = "",
        group: str = "",
    ) -> None:
        """Make an order with its alternatives and the orders that wait for it; each is taken before the next is made.

        A group bears the id of its first member.
        """
        order = self.make(request, now, parent_id, group)
        if request.instead and not group:
            group = order.group = order.id
        take(order)
        for alternative in request.instead:
            self.family(alternative, now, take, parent_id, group)
        first_child = f"{self._run_key}-{self._sequence + 1}"
        for child in request.then:
            self.family(child, now, take, order.id, first_child)

    def replacement(self, order: OrderRecord, request: ReplaceRequest, now: int) -> OrderRecord:
        """The order that takes the place of ``order``, which is not among the open ones meanwhile."""
        terms = OrderRequest(
            symbol=order.symbol,
            side=order.side,
            qty=order.remaining_qty if request.qty is None else request.qty,
            type=order.type,
            time_in_force=order.time_in_force,
            limit_price=_or(request.limit_price, order.limit_price),
            stop_price=_or(request.stop_price, order.stop_price),
            trail_amount=_or(request.trail_amount, order.trail_amount),
            trail_percent=_or(request.trail_percent, order.trail_percent),
            expires_at=order.expires_at,
            extended_hours=order.extended_hours,
            reduce_only=order.reduce_only,
            reason=request.reason or order.reason,
        )
        return self.make(terms, now, order.parent_id, order.group, order.id)


def children_of(order: OrderRecord, open_orders: OpenOrders) -> Iterator[OrderRecord]:
    """The open orders that wait for this one."""
    return (child for child in list(open_orders) if child.parent_id == order.id)


def external_order(told: ExternalOrder, held: Decimal) -> OrderRecord:
    """The order that the venue has introduced, under the venue's own name for it."""
    terms = told.terms
    return OrderRecord(
        id=told.client_order_id,
        client_order_id=told.client_order_id,
        symbol=terms.symbol,
        side=terms.side,
        qty=terms.qty,
        type=terms.type,
        time_in_force=terms.time_in_force,
        limit_price=terms.limit_price,
        created_at=told.time,
        signal=_signal(terms, held),
        stop_price=terms.stop_price,
        trail_amount=terms.trail_amount,
        trail_percent=terms.trail_percent,
        expires_at=terms.expires_at,
        extended_hours=terms.extended_hours,
        reduce_only=terms.reduce_only,
        external=True,
        status=OrderStatus.ACCEPTED,
        venue_order_id=told.venue_order_id,
        reason=told.reason,
    )


def _signal(request: OrderRequest, held: Decimal) -> str:
    signed = request.qty if request.side is _BUY else -request.qty
    return "flat" if held and signed == -held else request.side.value


def _or(wanted: Decimal | None, present: Decimal | None) -> Decimal | None:
    return present if wanted is None else wanted
