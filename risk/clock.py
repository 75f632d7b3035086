"""Whether the time is right to open something: the market is open, and the last bar of the symbol not too old.

Of a live feed alone. In event time a bar's presence means that the market is open, and nothing ages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from risk.limits import RiskLimits
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.calendars import AROUND_THE_CLOCK, calendar_of
from trading.engine.instruments import Instrument
from trading.engine.orders import OrderRecord, TimeInForce
from trading.engine.risk import Denial

_HOUR: Final = 3600 * NANOS_PER_SECOND
#: Extended hours begin so long before the open and end so long after the close.
_BEFORE: Final = 11 * _HOUR // 2
_AFTER: Final = 4 * _HOUR


class MarketWord(NamedTuple):
    """What a venue says of its market, ``at`` a time in nanoseconds, UTC."""

    is_open: bool
    at: int


class Clock:
    """Of one run. ``instrument`` knows the calendar of a symbol; ``now`` is the time in nanoseconds, UTC."""

    def __init__(
        self, limits: RiskLimits, instrument: Callable[[str], Instrument], now: Callable[[], int] = time.time_ns
    ) -> None:
        self._limits = limits
        self._instrument = instrument
        self._now = now
        self._ends: dict[str, int] = {}

    def see(self, symbol: str, end: int) -> None:
        """A bar that ended at ``end`` (ns) has come."""
        self._ends[symbol] = end

    def refusal(self, order: OrderRecord, said: MarketWord | None) -> Denial | None:
        """Why this order may not leave now; ``said`` is the venue's own word, None where it has none."""
        if not self._limits.trade_when_closed and not self._may_trade(order, said):
            message = f"the market of {order.symbol} is closed; an order for its open has the time in force opg"
            return Denial(code="market_closed", message=message)
        return self._too_old(order)

    def _may_trade(self, order: OrderRecord, said: MarketWord | None) -> bool:
        code = self._instrument(order.symbol).calendar
        if code == AROUND_THE_CLOCK or order.time_in_force is TimeInForce.OPG:
            return True
        now = self._now()
        if order.extended_hours:
            return calendar_of(code).is_open(now - _AFTER, now + _BEFORE)
        calendar = calendar_of(code)
        if said is None:
            return calendar.is_open(now, now)
        # A word from before the close says nothing about what comes after it.
        return said.is_open and not calendar.closes_within(said.at, now)

    def _too_old(self, order: OrderRecord) -> Denial | None:
        limit = self._limits.max_bar_age_seconds
        if limit is None:
            return None
        end = self._ends.get(order.symbol)
        if end is None:
            message = f"no bar of {order.symbol} has come yet, and its age is limited to {limit} seconds"
            return Denial(code="stale_bar", message=message, limit=limit)
        age = Decimal(self._now() - end) / NANOS_PER_SECOND
        if age <= limit:
            return None
        message = f"the last bar of {order.symbol} ended {age:.1f} seconds ago, over {limit}"
        return Denial(code="stale_bar", message=message, figure=age, limit=limit)
