"""The same quantity each time."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from risk.sizing.memory import Memory
from risk.sizing.method import Method, Stake
from trading.engine.orders import OrderRequest
from trading.engine.risk import Denial
from trading.engine.strategy import Context


class FixedQuantity(Method):
    """Each order that opens is for ``qty`` units. More than the buying power pays for, or no whole lot, is denied by
    the pre-trade check, not cut."""

    method: Literal["fixed_quantity"]
    qty: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]

    def stake(self, request: OrderRequest, memory: Memory, context: Context) -> Stake | Denial:
        return Stake(self.qty, f"fixed quantity {self.qty}")
