"""Runs whose orders are sized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from risk.sizing import Sizing
from risk.sizing.method import Method
from tests.engine.builders import Script, bar, fill, update
from trading.engine.effects import Submit
from trading.engine.engine import Engine
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, Request
from trading.engine.records import Kind
from trading.engine.updates import UpdateKind

CASH = Decimal(100_000)


def method(**settings: Any) -> Method:
    """A recipe's ``sizing:`` section, read."""
    made: Method = TypeAdapter(Sizing).validate_python(settings)
    return made


def run_of(
    sizing: Method,
    *steps: Sequence[Request],
    universe: Sequence[str] = ("SPY",),
    instruments: Mapping[str, Instrument] | None = None,
    account: AccountType = AccountType.UNLEVERED,
) -> Engine:
    agent = RiskManagementAgent(RiskLimits(), CASH, sizing)
    return Engine("run", Script(*steps), agent, universe, CASH, instruments, account)  # type: ignore[arg-type]


def see(run: Engine, close: float = 100.0, minute: int = 0, symbol: str = "SPY") -> list[OrderRecord]:
    """Let the run see a bar; the orders that may leave, linked ones too, as accepted by the venue."""
    effects = [effect for effect in run.on_bar(bar(close, minute=minute, symbol=symbol)) if isinstance(effect, Submit)]
    orders = [order for effect in effects for order in (effect.order, *effect.linked)]
    for order in orders:
        run.on_submitted(order)
        run.on_update(update(UpdateKind.ACCEPTED, order))
    return orders


def filled(run: Engine, order: OrderRecord, price: str = "100", fee: str = "0") -> None:
    run.on_update(fill(order, order.remaining_qty, price, f"x-{order.id}-{order.filled_qty}", fee))


def denied(run: Engine) -> dict[str, str]:
    """What the ledger would keep of the last denial, its sentence included."""
    record = next(record for record in reversed(run.records) if record.kind is Kind.ORDER_DENIED)
    return {**(record.data or {}), "reason": record.reason}
