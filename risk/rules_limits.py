"""The rules that hold an order against the limits of its recipe: pure functions, one for each limit.

They are asked about orders that open exposure alone. What may be held is reckoned in the worst case, see
`risk.exposure`. A figure equal to its limit is allowed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from risk.exposure import after, dearest, gross, net
from trading.engine.orders import OrderRecord, Side
from trading.engine.risk import Denial
from trading.engine.strategy import Context

_ZERO: Final = Decimal(0)
_BASIS: Final = Decimal(10_000)
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


def max_order_qty(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    if order.qty <= limit:
        return None
    return Denial(code="max_order_qty", message=f"quantity {order.qty} is over {limit}", figure=order.qty, limit=limit)


def max_order_value(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """The order's whole quantity at the highest of last price, limit and stop."""
    value = order.qty * _unit(order, context)
    if value <= limit:
        return None
    return Denial(code="max_order_value", message=f"order value {value:.2f} is over {limit}", figure=value, limit=limit)


def price_collar(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """No price of the order is further than ``limit`` basis points on the side where it costs.

    That is a buyer's limit over the last price and a seller's under it; where the order waits for a stop beyond the
    last price, its limit is held against the stop, at which it would trade. A stop that the last price has passed by
    more would trade at once, and is refused like such a limit. The other side of the price is free: an order that waits
    far away for a good price harms nobody. Market orders have no price of their own.
    """
    last = context.last_price(order.symbol)
    if last is None or last <= 0:
        return Denial(code="no_price", message=f"no price of {order.symbol} is known yet")
    sign = 1 if order.side is _BUY else -1
    figure, word, price, reference = _ZERO, "", _ZERO, last
    if order.stop_price is not None:
        passed = sign * (last - order.stop_price) / last * _BASIS
        figure, word, price = passed, "stop price", order.stop_price
        reference = max(last, order.stop_price) if order.side is _BUY else min(last, order.stop_price)
    if order.limit_price is not None:
        over = sign * (order.limit_price - reference) / reference * _BASIS
        if not word or over > figure:
            figure, word, price = over, "limit price", order.limit_price
    if figure <= limit:
        return None
    message = f"{word} {price} is {figure:.0f} basis points from {reference}, over {limit}"
    return Denial(code="price_collar", message=message, figure=figure, limit=limit)


def short_not_allowed(order: OrderRecord, context: Context) -> Denial | None:
    if order.side is not _SELL:
        return None
    message = f"the run holds {context.qty(order.symbol)} {order.symbol} and may sell nothing short"
    return Denial(code="short_not_allowed", message=message, figure=order.qty)


def max_position_qty(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """What would be held of the symbol, long or short, if this and every open order of its side were filled."""
    qty = after(order, context)
    if qty <= limit:
        return None
    message = f"{order.symbol} would come to {qty} units, over {limit}"
    return Denial(code="max_position_qty", message=message, figure=qty, limit=limit)


def max_position_value(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """The same at the highest of last price, limit and stop."""
    value = after(order, context) * _unit(order, context)
    if value <= limit:
        return None
    message = f"{order.symbol} would come to {value:.2f}, over {limit}"
    return Denial(code="max_position_value", message=message, figure=value, limit=limit)


def max_concentration(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """The same as a fraction of the run's equity; without equity nothing may be opened."""
    value, equity = after(order, context) * _unit(order, context), context.equity
    if equity > 0 and value <= limit * equity:
        return None
    figure = value / equity if equity > 0 else None
    message = f"{order.symbol} would come to {value:.2f} of an equity of {equity:.2f}, over {limit:.2%}"
    return Denial(code="max_concentration", message=message, figure=figure, limit=limit)


def max_gross_exposure(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    value = gross(context, order)
    if value <= limit:
        return None
    message = f"the gross exposure would come to {value:.2f}, over {limit}"
    return Denial(code="max_gross_exposure", message=message, figure=value, limit=limit)


def max_net_exposure(order: OrderRecord, context: Context, limit: Decimal) -> Denial | None:
    """The way that the order pushes alone counts: a sale is no harm to a portfolio that is long."""
    value = net(context, order.side, order)
    if value <= limit:
        return None
    way = "long" if order.side is _BUY else "short"
    message = f"the net exposure would come to {value:.2f} {way}, over {limit}"
    return Denial(code="max_net_exposure", message=message, figure=value, limit=limit)


def max_open_orders(order: OrderRecord, context: Context, limit: int) -> Denial | None:
    count = len(context.open_orders()) + 1
    if count <= limit:
        return None
    message = f"this would be open order {count} of at most {limit}"
    return Denial(code="max_open_orders", message=message, figure=Decimal(count), limit=Decimal(limit))


def _unit(order: OrderRecord, context: Context) -> Decimal:
    return dearest(order, context) * context.instrument(order.symbol).multiplier
