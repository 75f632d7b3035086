"""Backtests by their prices, watched by limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from brokers.sim import SimulatedBrokerage
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.engine.builders import Script
from trading.backtest import Curve, drive
from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus
from trading.engine.records import Kind
from trading.engine.strategy import IStrategy

MINUTE = 60 * NANOS_PER_SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: A midnight, UTC.
MIDNIGHT = 19_675 * DAY
CASH = Decimal(10_000)


def at(time: int, close: float, symbol: str = "SPY") -> Bar:
    """A bar ``time`` nanoseconds after the midnight, of one price."""
    return Bar(symbol, MIDNIGHT + time, close, close, close, close, 1e6)


def minutes(*closes: float, symbol: str = "SPY") -> list[Bar]:
    return [at(number * MINUTE, close, symbol) for number, close in enumerate(closes)]


def made(strategy: IStrategy, limits: dict[str, Any], universe: Sequence[str] = ("SPY",)) -> Engine:
    agent = RiskManagementAgent(RiskLimits.model_validate(limits), CASH)
    return Engine("run", strategy, agent, universe, CASH)


def ran(machine: Engine, bars: Iterable[Bar], **venue: Any) -> Engine:
    """Traded over all bars, filled at the closes at which it decides."""
    drive(machine, SimulatedBrokerage(**{"starting_cash": CASH, "fill": "same_close", **venue}), bars, Curve())
    return machine


def traded(limits: dict[str, Any], bars: Iterable[Bar], *steps: Sequence[OrderRequest], **venue: Any) -> Engine:
    """What one who asks for ``steps``, bar by bar, comes to under these limits."""
    bars = list(bars)
    universe = sorted({bar.symbol for bar in bars}) or ["SPY"]
    return ran(made(Script(*steps), limits, universe), bars, **venue)


def breach(machine: Engine) -> tuple[str, Decimal, Decimal] | None:
    """Code, figure and limit of the first breach, as recorded."""
    for record in machine.records:
        if record.kind in (Kind.RISK_HALTED, Kind.RISK_REDUCING):
            data = record.data or {}
            return data["code"], Decimal(data["figure"]), Decimal(data["limit"])
    return None


def story(machine: Engine) -> list[str]:
    """What happened to the run as a whole, in order."""
    told = {Kind.RISK_HALTED, Kind.RISK_REDUCING, Kind.RISK_RESUMED}
    return [record.kind.value for record in machine.records if record.kind in told]


def orders(machine: Engine, *statuses: OrderStatus) -> list[OrderRecord]:
    return [order for order in machine.orders.values() if order.status in statuses]


def denials(machine: Engine) -> list[str]:
    return [(record.data or {})["code"] for record in machine.records if record.kind is Kind.ORDER_DENIED]
