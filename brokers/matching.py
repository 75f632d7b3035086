"""How a simulated order trades against a bar: pure functions, pessimistic where a bar leaves room.

A bar says where the price was, not in which order. So a market order takes the open; a limit order takes the open when
the bar opens at the limit or better, else its limit when the bar's range reaches it, never better.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from trading.engine.bars import Bar, price_of
from trading.engine.orders import OrderRecord, OrderType, Side

ZERO: Final = Decimal(0)
_BASIS: Final = Decimal(10_000)
_CENT: Final = Decimal("0.01")
_SUB_PENNY: Final = Decimal("0.0001")

#: The price of an execution after slippage, from the side and the price before it.
Slippage = Callable[[Side, Decimal], Decimal]
#: The fee of an execution, from its side, quantity and price; never negative.
Fees = Callable[[Side, Decimal, Decimal], Decimal]


def tick_of(price: Decimal) -> Decimal:
    """The minimum price increment of US equities: a cent from one dollar on, a hundredth of it below (Rule 612)."""
    return _CENT if price >= 1 else _SUB_PENNY


def no_slippage(side: Side, price: Decimal) -> Decimal:
    return price


def slippage_bps(bps: Decimal) -> Slippage:
    """Slippage of ``bps`` basis points against the trader, rounded to the next tick against the trader."""

    def slip(side: Side, price: Decimal) -> Decimal:
        tick = tick_of(price)
        if side is Side.BUY:
            return (price * (1 + bps / _BASIS) / tick).to_integral_value(ROUND_CEILING) * tick
        return max((price * (1 - bps / _BASIS) / tick).to_integral_value(ROUND_FLOOR) * tick, tick)

    return slip


def no_fees(side: Side, qty: Decimal, price: Decimal) -> Decimal:
    return ZERO


def fees(per_order: Decimal = ZERO, per_share: Decimal = ZERO, bps: Decimal = ZERO) -> Fees:
    """A fee per execution, per unit and in basis points of the notional, summed and rounded up to the cent."""

    def charge(side: Side, qty: Decimal, price: Decimal) -> Decimal:
        total = per_order + per_share * qty + qty * price * bps / _BASIS
        return total.quantize(_CENT, ROUND_CEILING)

    return charge


def fill_price(order: OrderRecord, bar: Bar, slip: Slippage) -> Decimal | None:
    """The price at which an order that rested before the bar trades in it, or None when it does not."""
    opening = price_of(bar.open)
    if order.type is OrderType.MARKET:
        return slip(order.side, opening)
    limit = order.limit_price
    if limit is None:
        return None
    if order.side is Side.BUY:
        if opening <= limit:
            return min(slip(order.side, opening), limit)
        return limit if price_of(bar.low) <= limit else None
    if opening >= limit:
        return max(slip(order.side, opening), limit)
    return limit if price_of(bar.high) >= limit else None


def close_price(order: OrderRecord, bar: Bar, slip: Slippage) -> Decimal | None:
    """The price at which an order made at the bar's close trades at that very close, or None when it must rest."""
    closing = price_of(bar.close)
    if order.type is OrderType.MARKET:
        return slip(order.side, closing)
    limit = order.limit_price
    if limit is None:
        return None
    if order.side is Side.BUY:
        return min(slip(order.side, closing), limit) if closing <= limit else None
    return max(slip(order.side, closing), limit) if closing >= limit else None
