"""Buy what has fallen far below its recent mean, sell when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.indicators import ZScore
from trading.engine.orders import OrderRequest, Side
from trading.engine.strategy import Context, IStrategy


class MeanReversionState(msgspec.Struct):
    scores: dict[str, ZScore] = {}


class MeanReversionStrategy(IStrategy):
    """Per symbol: long ``quantity`` when the close's z-score over ``window`` bars is below ``-entry_z``, flat again
    when it is above ``-exit_z``; with ``allow_short`` the mirror image too.

    z = (close - mean) / standard deviation of the last ``window`` closes, the bar at hand included, with the population
    deviation; no signal while the deviation is zero. Trades by market orders for the day.
    """

    state: MeanReversionState

    def __init__(
        self,
        window: int = 60,
        entry_z: float = 2.0,
        exit_z: float = 0.0,
        quantity: Decimal = Decimal(100),
        allow_short: bool = False,
    ) -> None:
        if window < 2:
            raise InvalidValue(f"window must be at least 2, not {window}")
        if not entry_z > exit_z:
            raise InvalidValue(f"entry_z must be greater than exit_z, not entry_z={entry_z}, exit_z={exit_z}")
        self.quantity = Decimal(str(quantity))
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.window = window
        self.entry_z = entry_z
        self.exit_z = exit_z
        self.allow_short = allow_short
        self.state = MeanReversionState()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        symbol = bar.symbol
        score = self.state.scores.get(symbol)
        if score is None:
            score = self.state.scores[symbol] = ZScore(self.window)
        z = score.update(bar.close)
        if z is None:
            return ()
        held = context.qty(symbol)
        if held > 0:
            return self._order(context, symbol, Side.SELL, held, z) if z > -self.exit_z else ()
        if held < 0:
            return self._order(context, symbol, Side.BUY, -held, z) if z < self.exit_z else ()
        if z < -self.entry_z:
            return self._order(context, symbol, Side.BUY, self.quantity, z)
        if self.allow_short and z > self.entry_z:
            return self._order(context, symbol, Side.SELL, self.quantity, z)
        return ()

    def _order(self, context: Context, symbol: str, side: Side, qty: Decimal, z: float) -> Sequence[OrderRequest]:
        if context.has_open_order(symbol):
            return ()
        return [OrderRequest(symbol=symbol, side=side, qty=qty, reason=f"z {z:.2f}")]
