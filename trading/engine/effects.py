"""What the engine wants done; the driver does it and reports back by `Engine.on_update`."""

from __future__ import annotations

import msgspec

from trading.engine.orders import OrderRecord


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
