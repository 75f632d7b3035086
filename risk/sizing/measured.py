"""What the methods have in common that look at a symbol's past returns."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from risk.sizing.memory import Memory
from risk.sizing.method import OfEquity, Share
from risk.sizing.returns import Returns, returns_of
from trading.engine.orders import OrderRequest
from trading.engine.risk import Denial
from trading.engine.strategy import Context

Window = Annotated[int, Field(ge=2, le=2_000)]


class Measured(OfEquity):
    """The returns are those of the symbol's last ``window`` bars. Until so many are known, a position is worth
    ``initial`` of the equity; 0 denies with ``too_few_bars``."""

    window: Window
    initial: Share = Decimal(0)

    @property
    def closes(self) -> int:
        return self.window + 1

    @abstractmethod
    def sized(self, request: OrderRequest, returns: Returns) -> tuple[Decimal, str] | Denial:
        """The part of the equity, and why in words, where the price has moved."""

    def part(self, request: OrderRequest, memory: Memory, context: Context) -> tuple[Decimal, str] | Denial:
        symbol = request.symbol
        known = memory.closes.get(symbol)
        count = 0 if known is None else len(known.prices) - 1
        if known is None or count < self.window:
            told = f"until {self.window} returns of {symbol} are known, {count} so far"
            if self.initial:
                return self.initial, f"{self.initial} of equity {told}"
            message = f"nothing is opened {told}"
            return Denial(code="too_few_bars", message=message, figure=Decimal(count), limit=Decimal(self.window))
        returns = returns_of(known, context.instrument(symbol).calendar)
        if returns.variance:
            return self.sized(request, returns)
        message = f"{symbol} has not moved over {count} returns, so that its risk is not known"
        return Denial(code="no_volatility", message=message)
