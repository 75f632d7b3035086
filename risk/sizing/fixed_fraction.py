"""The same part of the equity each time."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from risk.sizing.memory import Memory
from risk.sizing.method import Multiple, OfEquity
from trading.engine.orders import OrderRequest
from trading.engine.risk import Denial
from trading.engine.strategy import Context


class FixedFraction(OfEquity):
    """A position is worth ``fraction`` of the equity."""

    method: Literal["fixed_fraction"]
    fraction: Multiple

    def part(self, request: OrderRequest, memory: Memory, context: Context) -> tuple[Decimal, str] | Denial:
        return self.fraction, f"{self.fraction} of equity"
