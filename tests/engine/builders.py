"""Small makers of bars, orders and engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.risk import Denial, RiskAgent, Watch
from trading.engine.strategy import Context, IStrategy
from trading.engine.updates import OrderUpdate, UpdateKind

MINUTE = 60 * NANOS_PER_SECOND
START = 1_700_000_000 * NANOS_PER_SECOND


def bar(close: float, *, open: float | None = None, minute: int = 0, symbol: str = "SPY", **fields: float) -> Bar:
    opening = close if open is None else open
    high = fields.get("high", max(opening, close))
    low = fields.get("low", min(opening, close))
    return Bar(symbol, START + minute * MINUTE, opening, high, low, close, 1000.0)


def buy(qty: str | int, symbol: str = "SPY", limit: str | None = None) -> OrderRequest:
    return request(Side.BUY, qty, symbol, limit)


def sell(qty: str | int, symbol: str = "SPY", limit: str | None = None) -> OrderRequest:
    return request(Side.SELL, qty, symbol, limit)


def request(side: Side, qty: str | int, symbol: str = "SPY", limit: str | None = None) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=side,
        qty=Decimal(qty),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=None if limit is None else Decimal(limit),
    )


class Script(IStrategy):
    """Asks for the given requests, one list per bar, then for nothing."""

    def __init__(self, *steps: Sequence[OrderRequest]) -> None:
        self.steps = list(steps)

    def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
        return list(self.steps.pop(0)) if self.steps else []


class Checks(RiskAgent):
    """Lets nothing leave but what ``check`` passes; looks at the run with ``watch`` after each bar."""

    def __init__(
        self,
        check: Callable[[OrderRecord, Context], Denial | None] = lambda order, context: None,
        watch: Watch | None = None,
    ) -> None:
        self._check = check
        self.watch = watch

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        return self._check(order, context)


def allow(order: OrderRecord, context: Context) -> Denial | None:
    return None


def engine(
    strategy: IStrategy,
    *,
    universe: Sequence[str] = ("SPY",),
    cash: str = "100000",
    check: Callable[[OrderRecord, Context], Denial | None] = allow,
    watch: Watch | None = None,
) -> Engine:
    return Engine("run", strategy, Checks(check, watch), universe, Decimal(cash))


def update(kind: UpdateKind, order: OrderRecord | str, *, minute: int = 0, **fields: object) -> OrderUpdate:
    key = order if isinstance(order, str) else order.client_order_id
    return OrderUpdate(kind, key, START + minute * MINUTE, **fields)  # type: ignore[arg-type]


def fill(order: OrderRecord | str, qty: str | int, price: str, execution: str, fee: str = "0") -> OrderUpdate:
    return update(
        UpdateKind.FILL, order, qty=Decimal(qty), price=Decimal(price), execution_id=execution, fee=Decimal(fee)
    )
