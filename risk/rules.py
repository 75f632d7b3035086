"""The rules that an order must pass before it leaves: pure functions, one each.

A rule answers None, or a `Denial` with the figure that broke it and its limit. What is missing or cannot be right
denies. An order without ``collateral`` opens nothing: it only reduces what is held, and no limit stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side
from trading.engine.risk import Denial
from trading.engine.strategy import Context

Rule = Callable[[OrderRecord, Context], Denial | None]

_ZERO: Final = Decimal(0)


def sane_quantity(order: OrderRecord, context: Context) -> Denial | None:
    qty = order.qty
    if qty.is_finite() and qty > _ZERO:
        return None
    return Denial(code="bad_quantity", message=f"quantity {qty} must be a positive number")


def sane_limit_price(order: OrderRecord, context: Context) -> Denial | None:
    """A limit order has a price that can be paid, and no other order has one."""
    price = order.limit_price
    if price is None:
        if order.type is not OrderType.LIMIT:
            return None
        return Denial(code="limit_price_missing", message="a limit order needs a limit price")
    if order.type is not OrderType.LIMIT:
        return Denial(code="limit_price_unexpected", message=f"a {order.type} order has no limit price")
    if price.is_finite() and price > _ZERO:
        return None
    return Denial(code="bad_limit_price", message=f"limit price {price} must be a positive number")


def known_price(order: OrderRecord, context: Context) -> Denial | None:
    """The symbol is one of the run's, and something is known about what it is worth."""
    position = context.position(order.symbol)
    if position is not None and position.last > 0.0:
        return None
    if order.symbol not in context.universe:
        return Denial(code="unknown_symbol", message=f"{order.symbol} is not in the universe of this run")
    return Denial(code="no_price", message=f"no price of {order.symbol} is known yet")


def nothing_unknown(order: OrderRecord, context: Context) -> Denial | None:
    """No new risk in a symbol while nobody knows whether an order in it reached the venue."""
    if not order.collateral:
        return None
    for open_ in context.open_orders(order.symbol):
        if open_.status is OrderStatus.UNKNOWN:
            return Denial(code="unknown_order", message=f"it is not known whether the venue has order {open_.id}")
    return None


def buying_power(order: OrderRecord, context: Context) -> Denial | None:
    """Nothing is bought or sold short on credit.

    Available = cash + signed market value - gross market value - what open orders may still add. So a long is paid in
    full, and a short locks its proceeds and as much again.
    """
    needed = order.collateral
    if not needed:
        return None
    available = context.cash - context.committed
    for symbol in context.universe:
        position = context.position(symbol)
        if position is not None and position.units < 0.0:
            available += 2 * position.market_value
    if needed <= available:
        return None
    message = f"the order needs {needed:.2f}, available are {available:.2f}"
    return Denial(code="buying_power", message=message, figure=needed, limit=available)


def max_order_qty(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    if order.qty <= limit or not order.collateral:
        return None
    return Denial(code="max_order_qty", message=f"quantity {order.qty} is over {limit}", figure=order.qty, limit=limit)


def max_order_value(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """The order's whole quantity at the higher of last price and limit price."""
    if not order.collateral:
        return None
    value = order.qty * _price(order, context)
    if value <= limit:
        return None
    return Denial(code="max_order_value", message=f"order value {value:.2f} is over {limit}", figure=value, limit=limit)


def max_position_value(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """What would be held of the symbol, long or short, if this and every open order of its side were filled."""
    if not order.collateral:
        return None
    units = order.qty + sum(
        (open_.remaining_qty for open_ in context.open_orders(order.symbol) if open_.side is order.side), _ZERO
    )
    held = context.qty(order.symbol)
    value = abs(held + units if order.side is Side.BUY else held - units) * _price(order, context)
    if value <= limit:
        return None
    message = f"{order.symbol} would come to {value:.2f}, over {limit}"
    return Denial(code="max_position_value", message=message, figure=value, limit=limit)


def max_open_orders(order: OrderRecord, context: Context, limit: int) -> Denial | None:
    if not order.collateral:
        return None
    count = len(context.open_orders()) + 1
    if count <= limit:
        return None
    message = f"this would be open order {count} of at most {limit}"
    return Denial(code="max_open_orders", message=message, figure=Decimal(count), limit=Decimal(limit))


def _price(order: OrderRecord, context: Context) -> Decimal:
    last = context.last_price(order.symbol) or _ZERO
    return last if order.limit_price is None else max(last, order.limit_price)
