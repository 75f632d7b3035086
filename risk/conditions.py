"""What the world outside of a run says about its orders: facts that no recorded bar can tell.

They are asked at the order gate, in the moment before an order leaves, so that what they refuse is kept with the run as
withheld by the gate and a replay of the run needs no world. Orders that only reduce pass them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from risk.clock import Clock, MarketWord
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial

#: Seconds after which a broker's figures are sure to count an order.
SETTLING: Final = 5.0
_ZERO: Final = Decimal(0)


class Conditions(msgspec.Struct):
    """Kept up to date by the run's driver.

    ``blocked`` is why nothing new may be opened at all (an open breaker, a silent feed), empty while all is well;
    ``symbols`` says so of single symbols (a halt at the venue). ``buying_power`` is the broker's own figure, None while
    it is not known, and ``asks`` tells whether it is asked for at all. ``market`` is what the venue's own clock says,
    None where it has none or could not be asked: then the exchange's calendar decides. ``clock`` is None in event time.

    The broker's figure is some seconds old, so ``sent`` keeps what orders that left meanwhile tie up: by name, the
    monotonic time at which they left and the money. A figure that was heard at ``heard_at`` knows of those that left
    `SETTLING` seconds before.
    """

    blocked: Denial | None = None
    symbols: dict[str, Denial] = {}
    asks: bool = False
    buying_power: Decimal | None = None
    market: MarketWord | None = None
    heard_at: float = 0.0
    sent: dict[str, tuple[float, Decimal]] = {}
    clock: Clock | None = None

    def leaves(self, order: OrderRecord, now: float) -> None:
        """An order leaves, at monotonic time ``now``."""
        if self.asks and order.collateral:
            for order_id, (at, _) in list(self.sent.items()):
                if at < self.heard_at - SETTLING:
                    self.sent.pop(order_id, None)
            self.sent[_name(order)] = now, order.collateral


def refusal(order: OrderRecord, conditions: Conditions) -> Denial | None:
    """Why this order may not leave now; None also for one that only reduces."""
    if not order.collateral:
        return None
    denial = conditions.blocked or conditions.symbols.get(order.symbol) or _unpaid(order, conditions)
    if denial is None and conditions.clock is not None:
        return conditions.clock.refusal(order, conditions.market)
    return denial


def unheld(order: OrderRecord, excess: Decimal) -> Denial | None:
    """Why this reduce-only order may not leave for a venue that knows no such orders, where it may open ``excess``
    units: no limit was asked about it."""
    if excess <= 0:
        return None
    message = f"the venue does not hold reduce-only orders to their word, and this one may open {excess} {order.symbol}"
    return Denial(code="reduce_only", message=message, figure=order.qty, limit=max(order.qty - excess, _ZERO))


def _unpaid(order: OrderRecord, conditions: Conditions) -> Denial | None:
    """What the order opens is more than the broker says that the account can still buy."""
    if not conditions.asks:
        return None
    if conditions.buying_power is None:
        message = "the broker does not say what the account can buy"
        return Denial(code="broker_buying_power", message=message, figure=order.collateral)
    known = conditions.heard_at - SETTLING
    sent, name = list(conditions.sent.items()), _name(order)
    gone = sum((money for one, (at, money) in sent if at >= known and one != name), _ZERO)
    left = conditions.buying_power - gone
    if order.collateral <= left:
        return None
    message = f"the order needs {order.collateral:.2f}, the broker has {left:.2f} available"
    return Denial(code="broker_buying_power", message=message, figure=order.collateral, limit=left)


def _name(order: OrderRecord) -> str:
    """Alternatives tie up money once, and have one name."""
    return order.group or order.id
