"""The in-flight limits, as something that a driver calls after each bar."""

from __future__ import annotations

from decimal import Decimal

from risk.limits import EquityWatch, RiskLimits
from trading.backtest import Watch
from trading.engine.engine import Engine


def watch_of(limits: RiskLimits, starting_cash: Decimal) -> Watch | None:
    """Halts the engine when a limit on the equity is exceeded; None when there is no such limit."""
    if not limits.watches_equity:
        return None
    equity_watch = EquityWatch(limits, starting_cash)

    def look(engine: Engine, equity: float) -> None:
        denial = equity_watch.breach(engine.now, equity, lambda: engine.portfolio.equity)
        if denial is not None:
            engine.halt(denial.code, denial.message)

    return look
