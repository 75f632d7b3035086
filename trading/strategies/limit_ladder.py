"""Resting limit orders below the market, for drills: something to cancel."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from trading.engine.bars import Bar, price_of
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy

_TICK: Final = Decimal("0.01")
_BASIS: Final = Decimal(10_000)


class LimitLadderState(msgspec.Struct):
    placed: dict[str, bool] = {}


class LimitLadderStrategy(IStrategy):
    """Rests ``levels`` good-till-cancelled buy limits of ``quantity`` units per symbol and leaves them.

    Level i (from 1) stands at the first close x (1 - i x ``step_bps`` / 10000), rounded down to the tick.
    """

    state: LimitLadderState

    def __init__(self, levels: int = 5, step_bps: float = 50, quantity: Decimal = Decimal(1)) -> None:
        self.step_bps = Decimal(str(step_bps))
        self.quantity = Decimal(str(quantity))
        if levels < 1:
            raise InvalidValue(f"levels must be at least 1, not {levels}")
        if self.step_bps <= 0 or levels * self.step_bps >= _BASIS:
            raise InvalidValue(f"step_bps must be more than 0 and levels x step_bps below 10000, not {step_bps}")
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.levels = levels
        self.state = LimitLadderState()

    def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
        if bar.symbol in self.state.placed:
            return []
        self.state.placed[bar.symbol] = True
        first = price_of(bar.close)
        return [self._level(bar.symbol, first, level) for level in range(1, self.levels + 1)]

    def _level(self, symbol: str, first: Decimal, level: int) -> OrderRequest:
        price = first * (1 - level * self.step_bps / _BASIS)
        return OrderRequest(
            symbol=symbol,
            side=Side.BUY,
            qty=self.quantity,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=(price / _TICK).to_integral_value(ROUND_FLOOR) * _TICK,
            reason=f"level {level}",
        )
