"""All that the rules of a run remember, as one document."""

from __future__ import annotations

from typing import Final

import msgspec

from risk.day_trading import DayTrades
from risk.limits import RiskLimits
from risk.recent import Recent
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.orders import OrderRecord
from trading.engine.records import Fill

_MINUTE: Final = 60


class Memory(msgspec.Struct):
    """Told of each order that passed, of its fills and of its end; JSON-ready.

    It is bounded: by a minute, or the longest window in force, and by what is open.
    """

    recent: Recent = msgspec.field(default_factory=Recent)
    days: DayTrades = msgspec.field(default_factory=DayTrades)

    @classmethod
    def of(cls, limits: RiskLimits) -> Memory:
        seconds = max(limits.duplicate_window_seconds or 0, _MINUTE)
        return cls(Recent(horizon=int(seconds * NANOS_PER_SECOND)))

    def take(self, order: OrderRecord, now: int) -> None:
        self.recent.take(order, now)
        self.days.take(order)

    def filled(self, order: OrderRecord, fill: Fill, time: int) -> None:
        self.recent.filled(order, fill)
        self.days.filled(order, fill, time)

    def ended(self, order: OrderRecord) -> None:
        self.recent.ended(order)
        self.days.ended(order)
