"""What the rules remember of a run's orders: what left lately, and how often it was filled."""

from __future__ import annotations

from typing import Final

import msgspec

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.records import Fill, plain

_MINUTE: Final = 60 * NANOS_PER_SECOND


class Sent(msgspec.Struct, gc=False):
    """An order that left: its event time (ns) and, of one that opens exposure, its terms."""

    at: int
    terms: str = ""


class Recent(msgspec.Struct):
    """Orders by id, oldest first, for as long as a rule asks about them; JSON-ready.

    ``executions`` counts the orders that opened exposure and had their first fill since the run began or a person last
    let it trade again; ``waiting`` are those that were not filled yet.
    """

    horizon: int = _MINUTE
    sent: dict[str, Sent] = {}
    latest: dict[str, str] = {}
    executions: int = 0
    waiting: dict[str, bool] = {}

    def take(self, order: OrderRecord, now: int) -> None:
        """An order passed every rule at event time ``now`` (ns)."""
        opens = bool(order.collateral)
        terms = terms_of(order) if opens else ""
        self.sent[order.id] = Sent(now, terms)
        if opens:
            self.latest[terms] = order.id
            self.waiting[order.id] = True
        self._trim(now)

    def filled(self, order: OrderRecord, fill: Fill) -> None:
        """The first fill of an order counts, also one that comes after its end."""
        if order.collateral and order.filled_qty == fill.qty:
            self.waiting.pop(order.id, None)
            self.executions += 1

    def ended(self, order: OrderRecord) -> None:
        """An order that was denied after all never left."""
        self.waiting.pop(order.id, None)
        if order.status is OrderStatus.DENIED:
            self._forget(order.id)

    def since(self, moment: int, most: int | None = None) -> int:
        """How many orders left after ``moment``; counts no further than ``most``."""
        count = 0
        for one in reversed(self.sent.values()):
            if one.at <= moment or count == most:
                break
            count += 1
        return count

    def same(self, order: OrderRecord) -> Sent | None:
        """The last order with the very terms of this one."""
        return self.sent.get(self.latest.get(terms_of(order), ""))

    def _trim(self, now: int) -> None:
        while (first := next(iter(self.sent))) and self.sent[first].at <= now - self.horizon:
            self._forget(first)

    def _forget(self, order_id: str) -> None:
        gone = self.sent.pop(order_id, None)
        if gone is not None and self.latest.get(gone.terms) == order_id:
            del self.latest[gone.terms]


def terms_of(order: OrderRecord) -> str:
    """Symbol, side, quantity, type and prices as text."""
    prices = (order.limit_price, order.stop_price, order.trail_amount, order.trail_percent)
    return "|".join((order.symbol, order.side, plain(order.qty), order.type, *map(plain, prices)))
