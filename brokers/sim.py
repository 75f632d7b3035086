"""The simulated venue: an order book of our own orders, matched against the bars of the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import ZoneInfo

from brokers.base import IAsyncBrokerage, IBrokerage, VenueAccount, VenuePosition
from brokers.matching import ZERO, Fees, Slippage, close_price, fill_price, no_fees, no_slippage, slippage_bps
from brokers.matching import fees as charge
from trading.engine.bars import Bar, price_of, to_datetime
from trading.engine.errors import InvalidValue
from trading.engine.exact import exact
from trading.engine.orders import OrderRecord, Side, TimeInForce
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate

_EXCHANGE_ZONE = ZoneInfo("America/New_York")
_NANOS_PER_MS = 1_000_000
_NANOS_PER_DAY = 86_400_000_000_000


class FillAt(StrEnum):
    NEXT_OPEN = "next_open"
    SAME_CLOSE = "same_close"


def _figures(name: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Decimal]:
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise InvalidValue(f"{name}.{unknown[0]} is not known; allowed: {', '.join(allowed)}")
    figures = {key: Decimal(str(value)) for key, value in given.items()}
    for key, value in figures.items():
        if not value.is_finite() or value < 0:
            raise InvalidValue(f"{name}.{key} must be zero or more, not {value}")
    return figures


class SimulatedBrokerage(IBrokerage, IAsyncBrokerage):
    """Fills orders from bars: at the symbol's next open, or at the close at which they were made.

    ``slippage``: ``{bps: 2}``; ``fees``: any of ``{per_order, per_share, bps}``; ``latency_ms`` delays an order past
    the decision, so that it trades in the first bar that starts after the delay. One instance is one account.
    """

    venue = "sim"

    def __init__(
        self,
        fill: Literal["next_open", "same_close"] = "next_open",
        slippage: Mapping[str, Decimal] | Literal["none"] | None = None,
        fees: Mapping[str, Decimal] | Literal["none"] | None = None,
        latency_ms: float = 0,
        starting_cash: Decimal | float = Decimal(100_000),
    ) -> None:
        self.fill = FillAt(fill)
        self.starting_cash = Decimal(str(starting_cash))
        if not self.starting_cash.is_finite() or self.starting_cash <= 0:
            raise InvalidValue(f"starting_cash must be more than zero, not {starting_cash}")
        if latency_ms < 0:
            raise InvalidValue(f"latency_ms must be zero or more, not {latency_ms}")
        self.latency = round(latency_ms * _NANOS_PER_MS)
        self.interval = 0
        self._slip: Slippage = no_slippage
        if slippage and slippage != "none":
            self._slip = slippage_bps(_figures("slippage", slippage, ("bps",)).get("bps", Decimal(0)))
        self._fees: Fees = no_fees
        if fees and fees != "none":
            self._fees = charge(**_figures("fees", fees, ("per_order", "per_share", "bps")))
        self._resting: dict[str, dict[str, OrderRecord]] = {}
        self._units: dict[str, Decimal] = {}
        self._cash = self.starting_cash
        self._bar: dict[str, Bar] = {}
        self._now = 0
        self._updates: list[VenueUpdate] = []
        self._order_event_queue: asyncio.Queue[VenueUpdate] = asyncio.Queue()
        self._emit: Callable[[VenueUpdate], None] = self._updates.append

    @property
    def updates_healthy(self) -> bool:
        return True

    def connect(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to close."""

    def on_bar(self, bar: Bar) -> bool:
        symbol = bar.symbol
        before = self._bar.get(symbol)
        self._bar[symbol] = bar
        self._now = bar.time
        resting = self._resting.get(symbol)
        if not resting:
            return False
        self._resting[symbol] = {key: order for key, order in resting.items() if self._rests(order, bar, before)}
        return True

    def _rests(self, order: OrderRecord, bar: Bar, before: Bar | None) -> bool:
        """Match one order against the bar; whether it is still in the book after it."""
        if order.time_in_force is TimeInForce.DAY and self._day_is_over(order, bar, before):
            self._tell(UpdateKind.EXPIRED, order, reason="the day is over")
            return False
        if self.latency and bar.time < order.created_at + self.interval + self.latency:
            return True
        price = fill_price(order, bar, self._slip)
        if price is None:
            return True
        self._execute(order, price)
        return False

    def _day_is_over(self, order: OrderRecord, bar: Bar, before: Bar | None) -> bool:
        """A day order made at the close of a daily bar is good for the whole of the next one, whenever that is."""
        if self.interval >= _NANOS_PER_DAY:
            return before is not None and before.time > order.created_at
        return _trading_day(bar.time) > _trading_day(order.created_at)

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        self._tell(UpdateKind.ACCEPTED, order)
        bar = self._bar.get(order.symbol)
        if self.fill is FillAt.SAME_CLOSE and bar is not None and not self.latency:
            price = close_price(order, bar, self._slip)
            if price is not None:
                self._execute(order, price)
                return
        self._resting.setdefault(order.symbol, {})[order.client_order_id] = order

    @exact
    def _execute(self, order: OrderRecord, price: Decimal) -> None:
        qty = order.qty
        fee = self._fees(order.side, qty, price)
        signed = qty if order.side is Side.BUY else -qty
        self._units[order.symbol] = self._units.get(order.symbol, ZERO) + signed
        self._cash -= signed * price + fee
        key = order.client_order_id
        self._emit(OrderUpdate(UpdateKind.FILL, key, self._now, execution_id=f"{key}/1", qty=qty, price=price, fee=fee))

    def _tell(self, kind: UpdateKind, order: OrderRecord, reason: str = "") -> None:
        key = order.client_order_id
        self._emit(OrderUpdate(kind, key, self._now, venue_order_id=f"sim-{key}", reason=reason))

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        if self._resting.get(order.symbol, {}).pop(order.client_order_id, None) is None:
            self._tell(UpdateKind.REJECTED, by, reason="the venue has no such open order")
            return
        self._tell(UpdateKind.REPLACED, order)
        self.submit_order(by)

    def cancel_order(self, order: OrderRecord) -> None:
        if self._resting.get(order.symbol, {}).pop(order.client_order_id, None) is not None:
            self._tell(UpdateKind.CANCELLED, order)
        else:
            self._tell(UpdateKind.CANCEL_REFUSED, order, reason="the venue has no such open order")

    def cancel_all(self) -> int:
        resting = [order for orders in self._resting.values() for order in orders.values()]
        for order in resting:
            self.cancel_order(order)
        return len(resting)

    def drain_updates(self) -> list[VenueUpdate]:
        taken = self._updates[:]
        self._updates.clear()
        return taken

    def query_positions(self) -> list[VenuePosition]:
        return [VenuePosition(symbol, units) for symbol, units in self._units.items() if units]

    @exact
    def query_account(self) -> VenueAccount:
        value = sum((units * price_of(self._bar[symbol].close) for symbol, units in self._units.items()), ZERO)
        return VenueAccount("simulated", cash=self._cash, equity=self._cash + value, buying_power=self._cash)

    # The asynchronous form is the same book; only the way by which its updates leave differs.

    async def connect_async(self) -> None:
        self._emit = self._order_event_queue.put_nowait

    async def close_async(self) -> None:
        self.close()

    async def submit_order_async(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        self.submit_order(order, linked)

    async def replace_order_async(self, order: OrderRecord, by: OrderRecord) -> None:
        self.replace_order(order, by)

    async def cancel_order_async(self, order: OrderRecord) -> None:
        self.cancel_order(order)

    async def cancel_all_async(self) -> int:
        return self.cancel_all()

    async def query_positions_async(self) -> list[VenuePosition]:
        return self.query_positions()

    async def query_account_async(self) -> VenueAccount:
        return self.query_account()


def _trading_day(nanos: int) -> date:
    return to_datetime(nanos).astimezone(_EXCHANGE_ZONE).date()
