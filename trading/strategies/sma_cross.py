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
    """The last closes in integer ticks, and slow x fast sum - fast x slow sum: positive while fast is above slow."""

    __slots__ = ("closes", "spread")

    def __init__(self) -> None:
        self.closes: deque[int] = deque()
        self.spread = 0


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
        closes = averages.closes
        close = ticks(bar.close)
        closes.append(close)
        fast, slow = self.fast, self.slow
        count = len(closes)
        if count > slow:
            averages.spread += close * (slow - fast) - closes[-1 - fast] * slow + closes.popleft() * fast
        elif count == slow:
            recent = list(closes)
            averages.spread = slow * sum(recent[-fast:]) - fast * sum(recent)
        else:
            return []
        held = context.qty(symbol)
        if averages.spread > 0:
            return [] if held else self._order(context, symbol, Side.BUY, self.quantity, "fast above slow")
        return self._order(context, symbol, Side.SELL, held, "fast not above slow") if held else []

    def _order(self, context: Context, symbol: str, side: Side, qty: Decimal, reason: str) -> list[OrderRequest]:
        if context.has_open_order(symbol):
            return []
        return [
            OrderRequest(symbol=symbol, side=side, qty=qty, time_in_force=TimeInForce.GTC, reason=reason),
        ]
