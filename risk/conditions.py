"""What the world outside of a run says about its orders: facts that no recorded bar can tell.

They are asked at the order gate, in the moment before an order leaves, so that what they refuse is kept with the run as
withheld by the gate and a replay of the run needs no world. Orders that only reduce pass them.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial


class Conditions(msgspec.Struct):
    """Kept up to date by the run's driver.

    ``blocked`` is why nothing new may be opened at all (an open breaker, a silent feed), empty while all is well;
    ``symbols`` says so of single symbols (a halt at the venue). ``buying_power`` is the broker's own figure, None where
    it was not asked for. ``market_open`` is what the venue's own clock says, None where it has none or could not be
    asked: then the exchange's calendar decides.
    """

    blocked: Denial | None = None
    symbols: dict[str, Denial] = {}
    buying_power: Decimal | None = None
    market_open: bool | None = None


def refusal(order: OrderRecord, conditions: Conditions) -> Denial | None:
    """Why this order may not leave now; None also for one that only reduces."""
    if not order.collateral:
        return None
    return conditions.blocked or conditions.symbols.get(order.symbol)
