"""Orders that are to be changed. Interactive Brokers changes an order in its place: number, permanent id and reference
stay, and its quantity counts what was filled before."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from brokers.ibkr import mapping
from trading.engine.orders import OrderRecord, OrderRequest

if TYPE_CHECKING:
    from brokers.ibkr.wire import Order, Trade


@dataclass
class Change:
    """``by`` is to take the place of ``order``, of which ``base`` units were filled when the venue was asked.

    What is filled beyond them belongs to whichever of the two the venue then says it has: it is ``held`` until it is
    known. ``refused`` is why it is not ``by``.
    """

    order: OrderRecord
    by: OrderRecord
    base: Decimal
    wanted: Order
    held: list[Any] = field(default_factory=list)
    done: bool = False
    refused: str = ""
    asked: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since the venue was asked."""
        return time.monotonic() - self.asked

    def is_made(self, trade: Trade) -> bool:
        """Whether the venue shows the order with the new terms."""
        shown, wanted = trade.order, self.wanted
        return (shown.totalQuantity, shown.lmtPrice, shown.auxPrice) == (
            wanted.totalQuantity,
            wanted.lmtPrice,
            wanted.auxPrice,
        )

    def holds(self, execution: Any) -> bool:
        return not self.done and mapping.figure(execution.cumQty) > self.base

    @property
    def terms(self) -> OrderRequest:
        """What the new order was asked for, as it is shown once it is there."""
        return OrderRequest(
            symbol=self.by.symbol,
            side=self.by.side,
            qty=self.by.qty,
            type=self.by.type,
            time_in_force=self.by.time_in_force,
            limit_price=self.by.limit_price,
            stop_price=self.by.stop_price,
        )


def filled(trade: Any) -> Decimal:
    """What is known to be filled of an order, by its state or by its executions, whichever knows more."""
    return max(mapping.figure(trade.orderStatus.filled), mapping.figure(trade.filled()))


def is_done(trade: Any) -> bool:
    return bool(trade.isDone())
