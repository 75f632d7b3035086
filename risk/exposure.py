"""What may come to be held, in the worst case: positions and all that open orders may still add to them. Pure.

Money is in the quote currency, the multiplier of an instrument included; positions and open orders count at the last
price of their symbol, so that an option counts with its premium.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from trading.engine.orders import OrderRecord, Side
from trading.engine.strategy import Context

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


class Reach(NamedTuple):
    """The furthest that a symbol's position may come to each way, in units: ``high`` if all buys fill and no sell,
    ``low`` if all sells fill and no buy; ``unit`` is what one unit is worth."""

    high: Decimal
    low: Decimal
    unit: Decimal

    @property
    def qty(self) -> Decimal:
        """Units, long or short, whichever may be more."""
        return max(self.high, -self.low, _ZERO)

    @property
    def value(self) -> Decimal:
        return self.qty * self.unit


def reach(symbol: str, context: Context, order: OrderRecord | None = None) -> Reach:
    """How far ``symbol`` may come, with one new order of it counted where given, at the dearest of its own prices."""
    position = context.position(symbol)
    if position is None:
        return Reach(_ZERO, _ZERO, _ZERO)
    held = position.qty
    high = _side(held, symbol, _BUY, context, order)
    low = -_side(-held, symbol, _SELL, context, order)
    price = position.price if order is None else dearest(order, context)
    return Reach(high, low, price * position.multiplier)


def _side(held: Decimal, symbol: str, side: Side, context: Context, order: OrderRecord | None) -> Decimal:
    """Units held once all of one side has filled; ``held`` is positive where that side adds to it.

    A reduce-only order may close what the others were to close, so that they open instead.
    """
    units = context.open_qty(symbol, side, order)
    if held < 0:
        open_ = context.open_orders(symbol)
        held += sum((one.remaining_qty for one in open_ if one.reduce_only and one.side is side), _ZERO)
        held = min(held, _ZERO)
    return held + units


def after(order: OrderRecord, context: Context) -> Decimal:
    """Units held, the order's way, once it and all open orders of its side have filled."""
    held = context.qty(order.symbol)
    return max(_side(held if order.side is _BUY else -held, order.symbol, order.side, context, order), _ZERO)


def dearest(order: OrderRecord, context: Context) -> Decimal:
    """The highest of the last price and the order's own; zero where none is known."""
    prices = (context.last_price(order.symbol), order.limit_price, order.stop_price)
    return max((price for price in prices if price is not None), default=_ZERO)


def gross(context: Context, order: OrderRecord | None = None) -> Decimal:
    """The value of all symbols, long and short added up, each taken at the further of its two ways."""
    return sum((one.value for one in reaches(context, order)), _ZERO)


def net(context: Context, side: Side, order: OrderRecord | None = None) -> Decimal:
    """Long value less short value if all that is open on one side fills; for sells short less long."""
    if side is _BUY:
        return sum((one.high * one.unit for one in reaches(context, order)), _ZERO)
    return sum((-one.low * one.unit for one in reaches(context, order)), _ZERO)


def reaches(context: Context, order: OrderRecord | None = None) -> list[Reach]:
    return [
        reach(symbol, context, order if order is not None and order.symbol == symbol else None)
        for symbol in context.symbols()
    ]
