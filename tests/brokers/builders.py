"""Orders, bars and a venue that is driven by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from brokers.sim import SimulatedBrokerage
from trading.engine.bars import Bar
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce
from trading.engine.updates import CashUpdate, ExternalOrder, OrderUpdate, UpdateKind

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
#: Tuesday 2023-11-14, 09:30 in New York.
OPENING = 1_699_972_200 * SECOND

_numbers = count(1)
_PRICES = ("limit_price", "stop_price", "trail_amount", "trail_percent")


def bar(open: float, high: float, low: float, close: float, minute: int = 1, **fields: Any) -> Bar:
    """A bar of SPY that starts so many minutes after the opening."""
    values = {"symbol": "SPY", "time": OPENING + minute * MINUTE, "volume": 1_000.0, **fields}
    return Bar(open=open, high=high, low=low, close=close, **values)


def flat(price: float, minute: int = 1, **fields: Any) -> Bar:
    return bar(price, price, price, price, minute, **fields)


def order(side: Side, qty: str | int, type: OrderType = OrderType.MARKET, **terms: Any) -> OrderRecord:
    """An order that was made at the close of the bar at the opening; prices may be texts."""
    key = terms.pop("id", f"o{next(_numbers)}")
    for name in _PRICES:
        if terms.get(name) is not None:
            terms[name] = Decimal(terms[name])
    values: dict[str, Any] = {
        "symbol": "SPY",
        "time_in_force": TimeInForce.GTC,
        "limit_price": None,
        "created_at": OPENING,
        "signal": side.value,
        **terms,
    }
    return OrderRecord(id=key, client_order_id=key, side=side, qty=Decimal(qty), type=type, **values)


def buy(qty: str | int = 10, type: OrderType = OrderType.MARKET, **terms: Any) -> OrderRecord:
    return order(Side.BUY, qty, type, **terms)


def sell(qty: str | int = 10, type: OrderType = OrderType.MARKET, **terms: Any) -> OrderRecord:
    return order(Side.SELL, qty, type, **terms)


class Venue:
    """A simulated brokerage with minute bars that has seen one bar, flat at ``price``, and keeps what it tells."""

    def __init__(self, price: float | None = 100.0, interval: int = MINUTE, **kwargs: Any) -> None:
        self.sim = SimulatedBrokerage(**kwargs)
        self.sim.interval = interval
        self.told: list[OrderUpdate | ExternalOrder | CashUpdate] = []
        if price is not None:
            self.see(flat(price, 0))

    def submit(self, order: OrderRecord, *linked: OrderRecord) -> OrderRecord:
        self.sim.submit_order(order, linked)
        self._listen()
        return order

    def see(self, *bars: Bar) -> None:
        for one in bars:
            self.sim.on_bar(one)
            self._listen()

    def cancel(self, order: OrderRecord) -> None:
        self.sim.cancel_order(order)
        self._listen()

    def replace(self, order: OrderRecord, by: OrderRecord) -> OrderRecord:
        self.sim.replace_order(order, by)
        self._listen()
        return by

    def hold(self, qty: int, price: float = 100.0, symbol: str = "SPY") -> None:
        """Have a position, bought or sold short at the bar before."""
        side = Side.BUY if qty > 0 else Side.SELL
        self.submit(order(side, abs(qty), symbol=symbol, created_at=OPENING - DAY))
        self.see(flat(price, 0, symbol=symbol, volume=1e9))
        self.told.clear()

    def _listen(self) -> None:
        self.told += self.sim.drain_updates()

    def updates(self, order: OrderRecord) -> list[OrderUpdate]:
        return [
            one for one in self.told if isinstance(one, OrderUpdate) and one.client_order_id == order.client_order_id
        ]

    def kinds(self, order: OrderRecord) -> list[UpdateKind]:
        return [update.kind for update in self.updates(order)]

    def fills(self, order: OrderRecord) -> list[tuple[Decimal, Decimal]]:
        """Quantity and price of each execution."""
        return [(update.qty, update.price) for update in self.updates(order) if update.kind is UpdateKind.FILL]

    def filled(self, orders: Sequence[OrderRecord]) -> Decimal:
        return sum((qty for one in orders for qty, _ in self.fills(one)), Decimal(0))
