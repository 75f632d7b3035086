"""The piece between a strategy's signal and the order router: it sizes, checks and watches one run."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from risk.headroom import shown
from risk.in_flight import InFlight
from risk.limits import RiskLimits
from risk.manager import RiskManager
from risk.sizing import Sizing
from risk.sizing.sizer import MethodSizer
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
        self.in_flight = InFlight(limits, starting_cash)
        if self.in_flight.watches:
            self.watch = self.in_flight.look
        self.silence = self.in_flight.silence
        self.sizer = self._sizer = None if sizing is None else MethodSizer(sizing)
        self.observes = self.in_flight.hears or self.manager.remembers or (sizing is not None and sizing.counts_trades)

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        return self.manager.check_pretrade(order, context) or self.in_flight.refusal(order, context)

    def on_silence(self, run: Watched, seconds: Decimal) -> Sequence[Effect]:
        return self.in_flight.fell_silent(run, seconds)

    def on_submitted(self, order: OrderRecord, time: int) -> None:
        self.in_flight.on_submitted(order, time)

    def on_fill(self, order: OrderRecord, fill: Fill, time: int) -> None:
        if self.manager.remembers:
            self.manager.memory.filled(order, fill, time)
        if self._sizer is not None:
            self._sizer.on_fill(fill)
        self.in_flight.on_fill(order, fill, time)

    def on_ended(self, order: OrderRecord, time: int) -> None:
        if self.manager.remembers:
            self.manager.memory.ended(order)
        self.in_flight.on_ended(order)

    def resume(self, run: Context) -> None:
        self.manager.resume()
        self.in_flight.renew(run)

    def report(self, run: Watched) -> dict[str, Any]:
        report = super().report(run)
        if self.manager.throttled and run.reducing is None:
            report = {"mode": "throttled", "why": "the strategy is switched off after too many repeats"}
        return {**report, "headroom": shown([*self.manager.headroom(run), *self.in_flight.headroom(run)])}

    def saved(self) -> dict[str, Any]:
        return {"rules": self.manager.saved(), "in_flight": self.in_flight.saved()}

    def restore(self, saved: dict[str, Any]) -> None:
        self.manager.restore(saved["rules"])
        self.in_flight.restore(saved["in_flight"])
