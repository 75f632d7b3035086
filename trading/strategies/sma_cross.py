"""Long while the fast moving average is above the slow one, flat otherwise."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRequest, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy
from trading.engine.ticks import ticks


class _Averages:
    """Running sums of the last ``fast`` and ``slow`` closes, in integer ticks, so that equal is really equal."""

    __slots__ = ("closes", "fast_sum", "slow_sum")

    def __init__(self) -> None:
        self.closes: deque[int] = deque()
        self.fast_sum = 0
        self.slow_sum = 0


class SmaCrossStrategy(IStrategy):
    """Holds ``quantity`` units of each symbol while SMA(``fast``) > SMA(``slow``) at the close, nothing otherwise.

    Compared exactly; equal averages are flat. Trades by good-till-cancelled market orders once ``slow`` bars of the
    symbol are known, and waits while one of them is still working.
    """

    def __init__(self, fast: int = 10, slow: int = 30, quantity: Decimal = Decimal(100)) -> None:
        if not 1 <= fast < slow:
            raise InvalidValue(f"fast must be at least 1 and less than slow, not fast={fast}, slow={slow}")
        self.quantity = Decimal(str(quantity))
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.fast = fast
        self.slow = slow
        self._averages: dict[str, _Averages] = {}

    def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
        symbol = bar.symbol
        averages = self._averages.get(symbol)
        if averages is None:
            averages = self._averages[symbol] = _Averages()
        close = ticks(bar.close)
        closes = averages.closes
        closes.append(close)
        averages.fast_sum += close
        averages.slow_sum += close
        count = len(closes)
        if count > self.fast:
            averages.fast_sum -= closes[-1 - self.fast]
        if count < self.slow:
            return []
        if count > self.slow:
            averages.slow_sum -= closes.popleft()
        held = context.qty(symbol)
        if averages.fast_sum * self.slow > averages.slow_sum * self.fast:
            return [] if held else self._order(context, symbol, Side.BUY, self.quantity, "fast above slow")
        return self._order(context, symbol, Side.SELL, held, "fast not above slow") if held else []

    def _order(self, context: Context, symbol: str, side: Side, qty: Decimal, reason: str) -> list[OrderRequest]:
        if context.has_open_order(symbol):
            return []
        return [
            OrderRequest(symbol=symbol, side=side, qty=qty, time_in_force=TimeInForce.GTC, reason=reason),
        ]
