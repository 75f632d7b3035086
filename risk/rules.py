"""The rules that an order must pass before it leaves: pure functions, one each.

A rule answers None, or a `Denial` with the figure that broke it and its limit. What is missing or cannot be right
denies. An order without ``collateral`` opens nothing: it only reduces what is held, and no limit stops it, so
`risk.manager` asks the rules from `nothing_unknown` on about the others alone.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce
from trading.engine.risk import Denial
from trading.engine.strategy import Context

Rule = Callable[[OrderRecord, Context], Denial | None]

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
#: The prices that an order of each type must have, and those that it may have.
_PRICES: Final[dict[OrderType, tuple[frozenset[str], frozenset[str]]]] = {
    OrderType.MARKET: (frozenset(), frozenset()),
    OrderType.LIMIT: (frozenset({"limit_price"}), frozenset({"limit_price"})),
    OrderType.STOP: (frozenset({"stop_price"}), frozenset({"stop_price"})),
    OrderType.STOP_LIMIT: (frozenset({"limit_price", "stop_price"}), frozenset({"limit_price", "stop_price"})),
    OrderType.TRAILING_STOP: (frozenset(), frozenset({"trail_amount", "trail_percent"})),
}
_PRICE_WORDS: Final = {
    "limit_price": "limit price",
    "stop_price": "stop price",
    "trail_amount": "trail amount",
    "trail_percent": "trail percent",
}

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_GTD: Final = TimeInForce.GTD
_TRAILING_STOP: Final = OrderType.TRAILING_STOP
_SELL: Final = Side.SELL
_BUY: Final = Side.BUY


def sane_quantity(order: OrderRecord, context: Context) -> Denial | None:
    qty = order.qty
    if qty.is_finite() and qty > _ZERO:
        return None
    return Denial(code="bad_quantity", message=f"quantity {qty} must be a positive number")


def sane_prices(order: OrderRecord, context: Context) -> Denial | None:
    """Each type has the prices that it needs, which can be paid, and no others."""
    if order.type is OrderType.MARKET and _has_no_price(order):
        return None
    needed, allowed = _PRICES[order.type]
    for name, word in _PRICE_WORDS.items():
        price = getattr(order, name)
        if price is None:
            if name in needed:
                return Denial(code=f"{name}_missing", message=f"{_a(order.type)} order needs a {word}")
        elif name not in allowed:
            return Denial(code=f"{name}_unexpected", message=f"{_a(order.type)} order has no {word}")
        elif not price.is_finite() or price <= _ZERO:
            return Denial(code=f"bad_{name}", message=f"{word} {price} must be a positive number")
    if order.type is _TRAILING_STOP:
        return _sane_trail(order)
    return None


def _has_no_price(order: OrderRecord) -> bool:
    return order.limit_price is order.stop_price is order.trail_amount is order.trail_percent is None


def _sane_trail(order: OrderRecord) -> Denial | None:
    if (order.trail_amount is None) == (order.trail_percent is None):
        message = "a trailing stop needs either a trail amount or a trail percent"
        return Denial(code="trail_missing" if order.trail_amount is None else "trail_twice", message=message)
    if order.trail_percent is not None and order.trail_percent >= _HUNDRED:
        return Denial(code="bad_trail_percent", message=f"trail percent {order.trail_percent} must be under 100")
    return None


def sane_time_in_force(order: OrderRecord, context: Context) -> Denial | None:
    """``gtd`` alone has a time to expire at, and that lies ahead; the auctions take market and limit orders."""
    if order.time_in_force is _GTD:
        if order.expires_at is None:
            return Denial(code="expires_at_missing", message="a gtd order needs the time at which it expires")
        if order.expires_at <= context.now:
            return Denial(code="bad_expires_at", message="the time at which the order expires is past")
    elif order.expires_at is not None:
        message = f"only a gtd order expires at a time; this is a {order.time_in_force} order"
        return Denial(code="expires_at_unexpected", message=message)
    auction = order.time_in_force is TimeInForce.OPG or order.time_in_force is TimeInForce.CLS
    if auction and order.type is not OrderType.MARKET and order.type is not OrderType.LIMIT:
        message = f"an {order.time_in_force} order is a market or a limit order, not a {order.type} order"
        return Denial(code="not_in_auctions", message=message)
    return None


def on_tick_and_lot(order: OrderRecord, context: Context) -> Denial | None:
    """Prices and quantities are whole steps of the instrument's tick and lot."""
    instrument = context.instrument(order.symbol)
    for name, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        if price is not None and not instrument.is_on_tick(price):
            tick = instrument.tick_at(price)
            message = f"{_PRICE_WORDS[name]} {price} is no multiple of the tick {tick} of {order.symbol}"
            return Denial(code="off_tick", message=message, figure=price, limit=tick)
    if not instrument.is_on_lot(order.qty):
        message = f"quantity {order.qty} is no multiple of the lot {instrument.lot} of {order.symbol}"
        return Denial(code="off_lot", message=message, figure=order.qty, limit=instrument.lot)
    return None


def sane_links(order: OrderRecord, context: Context) -> Denial | None:
    """Orders that share a quantity have one symbol and one quantity, also where one is replaced; an order that waits
    for another asks for no more than that one, and reduces what that one opens where it may only reduce."""
    if not order.group:
        return None
    old = context.order(order.replaces) if order.replaces else None
    if old is not None:
        return None if order.qty == old.remaining_qty else _unshared(order.qty, old.remaining_qty)
    parent = context.order(order.parent_id) if order.parent_id else None
    if parent is not None:
        if order.qty > parent.qty:
            message = f"quantity {order.qty} is over the {parent.qty} of the order whose fills it waits for"
            return Denial(code="linked_quantity", message=message, figure=order.qty, limit=parent.qty)
        if order.reduce_only and order.symbol == parent.symbol and order.side is parent.side:
            message = f"a reduce-only order that waits for a {parent.side} must be on the other side"
            return Denial(code="linked_side", message=message)
    first = context.order(order.group)
    if first is None or first.group != order.group:
        return None
    if order.symbol != first.symbol:
        message = f"alternatives trade one symbol, not {first.symbol} and {order.symbol}"
        return Denial(code="linked_symbol", message=message)
    if order.qty != first.qty:
        return _unshared(order.qty, first.qty)
    return None


def _unshared(qty: Decimal, other: Decimal) -> Denial:
    message = f"linked orders share one quantity, not {other} and {qty}; cancel them and send others"
    return Denial(code="linked_quantity", message=message, figure=qty, limit=other)


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
    for open_ in context.open_orders(order.symbol):
        if open_.in_doubt:
            message = f"it is not known whether the venue has an open order in {order.symbol}"
            return Denial(code="unknown_order", message=message)
    return None


def allowed_short(order: OrderRecord, context: Context) -> Denial | None:
    """A cash account sells nothing short, and nobody an option whose underlying has no price."""
    if order.side is not _SELL:
        return None
    if context.account is AccountType.CASH:
        message = f"a cash account holds {context.qty(order.symbol)} {order.symbol} and sells nothing short"
        return Denial(code="short_in_cash_account", message=message)
    option = context.instrument(order.symbol).option
    if option is not None and context.last_price(option.underlying) is None:
        message = f"the margin of a short {order.symbol} needs a price of {option.underlying}; add it to the universe"
        return Denial(code="no_underlying_price", message=message)
    return None


def buying_power(order: OrderRecord, context: Context) -> Denial | None:
    """What the order would open is paid for by equity that nothing else ties up, see `trading.engine.margin`."""
    needed, available = context.required(order), context.buying_power
    if not needed or needed <= available:
        return None
    message = f"the order needs {needed:.2f}, available are {available:.2f}"
    return Denial(code="buying_power", message=message, figure=needed, limit=available)


def _a(type_: OrderType) -> str:
    return f"a {type_.replace('_', ' ')}"
