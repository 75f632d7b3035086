"""What the engine wants done; the driver does it and reports back by `Engine.on_update`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trading.engine.orders import OrderRecord, OrderStatus


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Send this order to the venue, once its intent is durable and the order gate is open.

    ``linked`` go with it in the same call: the orders that wait for its fills, and its alternatives.
    """

    order: OrderRecord
    linked: tuple[OrderRecord, ...] = ()


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Ask the venue to cancel this order. Nothing ever holds a cancel back."""

    order: OrderRecord


class Replace(msgspec.Struct, frozen=True, gc=False):
    """Ask the venue to put ``by`` in the place of ``order`` in one step; as durable and as gated as a `Submit`."""

    order: OrderRecord
    by: OrderRecord


Effect = Submit | Cancel | Replace


def unsent(effects: Iterable[Effect]) -> list[Effect]:
    """The effects that are left when some of the orders that they were to send have ended before they were sent."""
    left: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Submit):
            orders = [order for order in (effect.order, *effect.linked) if order.status is OrderStatus.INTENDED]
            if orders:
                left.append(Submit(orders[0], tuple(orders[1:])))
        elif isinstance(effect, Cancel) or effect.by.status is OrderStatus.INTENDED:
            left.append(effect)
    return left
