"""What the engine wants done; the driver does it and reports back by `Engine.on_update`."""

from __future__ import annotations

import msgspec

from trading.engine.orders import OrderRecord


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Send this order to the venue, once its intent is durable and the order gate is open."""

    order: OrderRecord


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Ask the venue to cancel this order. Nothing ever holds a cancel back."""

    order: OrderRecord


Effect = Submit | Cancel
