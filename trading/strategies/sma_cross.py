"""Long while the fast moving average is above the slow one, flat otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRequest, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy
from trading.engine.ticks import TICKS_PER_UNIT


class Averages(msgspec.Struct, gc=False):
    """The last closes in integer ticks, and slow x fast sum - fast x slow sum: positive while fast is above slow.

    ``at`` is the place of the oldest close once ``slow`` of them are known.
    """

    closes: list[int] = []
    at: int = 0
    spread: int = 0


class SmaCrossState(msgspec.Struct):
    averages: dict[str, Averages] = {}


class SmaCrossStrategy(IStrategy):
    """Holds ``quantity`` units of each symbol while SMA(``fast``) > SMA(``slow``) at the close, nothing otherwise.

    Compared exactly; equal averages are flat. Trades by good-till-cancelled market orders once ``slow`` bars of the
    symbol are known, and waits while one of them is still working.
    """

    state: SmaCrossState

    def __init__(self, fast: int = 10, slow: int = 30, quantity: Decimal = Decimal(100)) -> None:
        if not 1 <= fast < slow:
            raise InvalidValue(f"fast must be at least 1 and less than slow, not fast={fast}, slow={slow}")
        self.quantity = Decimal(str(quantity))
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.fast = fast
        self.slow = slow
        self.state = SmaCrossState()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        symbol = bar.symbol
        averages = self.state.averages.get(symbol)
        if averages is None:
            averages = self.state.averages[symbol] = Averages()
        closes, slow = averages.closes, self.slow
        close = round(bar.close * TICKS_PER_UNIT)  # ticks(), without a call in every bar
        if len(closes) == slow:
            fast, at = self.fast, averages.at
            # The close that leaves the fast average: counted back from the oldest, and a negative index goes round.
            averages.spread += close * (slow - fast) - closes[at - fast] * slow + closes[at] * fast
            closes[at] = close
            averages.at = at + 1 if at + 1 < slow else 0
        elif not self._warmed(averages, close):
            return ()
        held = context.qty(symbol)
        if averages.spread > 0:
            return () if held else self._order(context, symbol, Side.BUY, self.quantity, "fast above slow")
        return self._order(context, symbol, Side.SELL, held, "fast not above slow") if held else ()

    def _warmed(self, averages: Averages, close: int) -> bool:
        """Take one of the first ``slow`` closes; whether it is the last of them."""
        closes, fast, slow = averages.closes, self.fast, self.slow
        closes.append(close)
        if len(closes) < slow:
            return False
        averages.spread = slow * sum(closes[-fast:]) - fast * sum(closes)
        return True

    def _order(self, context: Context, symbol: str, side: Side, qty: Decimal, reason: str) -> Sequence[OrderRequest]:
        if context.has_open_order(symbol):
            return ()
        return [
            OrderRequest(symbol=symbol, side=side, qty=qty, time_in_force=TimeInForce.GTC, reason=reason),
        ]
