"""The rules about how fast and how often a run sends orders. They read what `risk.recent` remembers and change nothing.

Time is event time. Every order that left counts, also one that only reduces, though such an order is never held back;
a denied one does not count.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from risk.recent import Recent
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial
from trading.engine.strategy import Context

_MINUTE: Final = 60 * NANOS_PER_SECOND


def max_orders_per_second(order: OrderRecord, context: Context, limit: int, recent: Recent) -> Denial | None:
    """Orders in the second that ends now."""
    return _too_many("max_orders_per_second", "second", NANOS_PER_SECOND, context, limit, recent)


def max_orders_per_minute(order: OrderRecord, context: Context, limit: int, recent: Recent) -> Denial | None:
    """Orders in the minute that ends now."""
    return _too_many("max_orders_per_minute", "minute", _MINUTE, context, limit, recent)


def _too_many(code: str, word: str, window: int, context: Context, limit: int, recent: Recent) -> Denial | None:
    count = recent.since(context.now - window, limit) + 1
    if count <= limit:
        return None
    message = f"this would be order {count} within a {word}, of at most {limit}"
    return Denial(code=code, message=message, figure=Decimal(count), limit=Decimal(limit))


def duplicate_order(order: OrderRecord, context: Context, limit: Decimal, recent: Recent) -> Denial | None:
    """No order with the symbol, side, quantity, type and prices of one that left less than ``limit`` seconds ago."""
    same = recent.same(order)
    if same is None:
        return None
    age = Decimal(context.now - same.at) / NANOS_PER_SECOND
    if age >= limit:
        return None
    message = f"the same order left {age.normalize():f} seconds ago, and within {limit} it is taken for a mistake"
    return Denial(code="duplicate_order", message=message, figure=age, limit=limit)


def max_repeats(order: OrderRecord, context: Context, limit: int, recent: Recent) -> Denial | None:
    """The repeated automated execution throttle: how often a strategy may be filled and enter again with no person in
    between (FIA Principal Traders Group, "Recommendations for Risk Controls for Trading Firms", 2010; Commission
    Delegated Regulation (EU) 2017/589, article 15).

    An execution is an order that opens exposure and is filled, in whole or in part. After ``limit`` of them the
    strategy is off (``throttled``) until a person lets it trade again. Orders that wait to be filled count as filled
    already, so that their fills cannot overshoot; one that they hold back may come again when they have gone.
    """
    if recent.executions >= limit:
        message = f"{recent.executions} entries were filled with no person in between; resume the run to go on"
        return Denial(code="throttled", message=message, figure=Decimal(recent.executions), limit=Decimal(limit))
    count = recent.executions + len(recent.waiting) + (order.replaces not in recent.waiting)
    if count <= limit:
        return None
    message = f"with those that wait this could be filled entry {count}, of at most {limit} without a person"
    return Denial(code="max_repeats", message=message, figure=Decimal(count), limit=Decimal(limit))
