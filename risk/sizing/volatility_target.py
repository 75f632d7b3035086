"""More of what moves little, less of what moves much."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from risk.sizing.measured import Measured, Window
from risk.sizing.method import Multiple, capped, millionths
from risk.sizing.returns import Returns
from trading.engine.orders import OrderRequest
from trading.engine.risk import Denial


class VolatilityTarget(Measured):
    """A position is worth ``annual_vol`` / realised volatility of the equity, at most ``cap`` of it.

    The realised volatility is the sample standard deviation of the last ``window`` returns from close to close, per
    year, see `risk.sizing.returns`.
    """

    method: Literal["volatility_target"]
    annual_vol: Multiple
    window: Window = 60
    cap: Multiple = Decimal(1)

    def sized(self, request: OrderRequest, returns: Returns) -> tuple[Decimal, str] | Denial:
        fraction = millionths(float(self.annual_vol) / returns.volatility)
        why = f"volatility target {self.annual_vol} of {returns.volatility:.3g} realised: {fraction:.3g} of equity"
        return capped(fraction, self.cap, why)
