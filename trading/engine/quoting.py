"""Resting quotes: what a market maker must ask for so that one stands on each side where it wants it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from trading.engine.orders import (
    CancelRequest,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Request,
    Side,
)
from trading.engine.strategy import Context

_RESTING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


def keep_quote(symbol: str, side: Side, price: Decimal, qty: Decimal, context: Context) -> list[Request]:
    """What makes a limit order of ``qty`` units at ``price`` the only one of this side; none for a ``qty`` of zero.

    Nothing is asked for where it stands already, or while the venue has not answered what was asked for before.
    """
    resting = [order for order in context.open_orders(symbol) if order.side is side]
    if not qty:
        return withdraw(resting, "nothing is wanted on this side")
    if not resting:
        terms = OrderType.LIMIT
        return [OrderRequest(symbol=symbol, side=side, qty=qty, type=terms, limit_price=price, reason="quote")]
    quote, *others = resting
    requests = withdraw(others, "one quote is enough")
    if quote.status in _RESTING and (quote.limit_price != price or quote.remaining_qty != qty):
        requests.append(ReplaceRequest(order_id=quote.id, limit_price=price, qty=qty))
    return requests


def withdraw(orders: Iterable[OrderRecord], reason: str) -> list[Request]:
    """Cancels for those orders that the run has sent itself."""
    return [CancelRequest(order.id, reason) for order in orders if not order.external]


def outward(price: float, tick: Decimal, side: Side) -> Decimal:
    """The tick at ``price`` or the next one away from the market: below for a bid, above for an ask."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (Decimal(repr(round(price, 9))) / tick).to_integral_value(rounding) * tick
