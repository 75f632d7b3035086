"""The piece between a strategy's signal and the order router: it sizes, checks and watches one run."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from risk.limits import RiskLimits
from risk.manager import RiskManager
from risk.sizing import Sizing
from risk.sizing.sizer import MethodSizer
from risk.watching import EquityWatch
from trading.engine.effects import Effect
from trading.engine.orders import OrderRecord
from trading.engine.records import Fill
from trading.engine.risk import Denial, RiskAgent, Watched
from trading.engine.strategy import Context


class RiskManagementAgent(RiskAgent):
    """One per run. Deterministic: the same orders, fills and bars bring the same decisions."""

    def __init__(self, limits: RiskLimits, starting_cash: Decimal, sizing: Sizing | None = None) -> None:
        self.limits = limits
        self.manager = RiskManager(limits)
        self._equity = EquityWatch(limits, starting_cash)
        if limits.watches_equity:
            self.watch = self._look
        self.sizer = self._sizer = None if sizing is None else MethodSizer(sizing)
        self.observes = sizing is not None and sizing.counts_trades

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        return self.manager.check_pretrade(order, context)

    def on_fill(self, order: OrderRecord, fill: Fill, time: int) -> None:
        if self._sizer is not None:
            self._sizer.on_fill(fill)

    def _look(self, run: Watched, equity: float) -> Sequence[Effect]:
        """Look at the run after a bar; halts it where a limit is exceeded."""
        denial = self._equity.breach(run.now, equity, lambda: run.equity)
        if denial is not None:
            run.halt(denial.code, denial.message, denial.figure, denial.limit)
        return ()
