"""Follow a price that leaves its channel, with a stop and a target around the entry."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trading.engine.bars import Bar, price_of
from trading.engine.errors import InvalidValue
from trading.engine.indicators import Atr, Donchian
from trading.engine.linked import bracket
from trading.engine.orders import OrderRequest, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy


class Market(msgspec.Struct):
    """What is known of one symbol."""

    channel: Donchian
    range: Atr


class BreakoutState(msgspec.Struct):
    markets: dict[str, Market] = {}


class BreakoutStrategy(IStrategy):
    """Per symbol: buys ``quantity`` when the close is above the highest high of the ``channel`` bars before it, and
    with ``allow_short`` sells when it is below their lowest low.

    The entry is a bracket: a stop ``stop_atr`` average true ranges (over ``atr`` bars) from the close, and a target
    ``target_atr`` of them away. The venue holds both, and what one fills the other loses. Nothing new is asked for
    before they have ended.
    """

    state: BreakoutState

    def __init__(
        self,
        channel: int = 20,
        atr: int = 14,
        stop_atr: float = 2.0,
        target_atr: float = 4.0,
        quantity: Decimal = Decimal(100),
        allow_short: bool = False,
    ) -> None:
        for name, value in (("channel", channel), ("atr", atr)):
            if value < 1:
                raise InvalidValue(f"{name} must be at least 1, not {value}")
        for name, factor in (("stop_atr", stop_atr), ("target_atr", target_atr)):
            if not factor > 0:
                raise InvalidValue(f"{name} must be more than zero, not {factor}")
        self.quantity = Decimal(str(quantity))
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.channel = channel
        self.atr = atr
        self.stop_atr = stop_atr
        self.target_atr = target_atr
        self.allow_short = allow_short
        self.state = BreakoutState()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        market = self.state.markets.get(bar.symbol)
        if market is None:
            market = self.state.markets[bar.symbol] = Market(Donchian(self.channel), Atr(self.atr))
        upper, lower = market.channel.upper, market.channel.lower
        market.channel.update(bar)
        reach = market.range.update(bar)
        if upper is None or lower is None or not reach:
            return ()
        up = bar.close > upper
        if not up and not (self.allow_short and bar.close < lower):
            return ()
        if context.qty(bar.symbol) or context.has_open_order(bar.symbol):
            return ()
        return self._entry(bar, context, up, reach)

    def _entry(self, bar: Bar, context: Context, up: bool, reach: float) -> Sequence[OrderRequest]:
        close = price_of(bar.close)
        away, back = Decimal(str(reach * self.target_atr)), Decimal(str(reach * self.stop_atr))
        stop, target = (close - back, close + away) if up else (close + back, close - away)
        if stop <= 0 or target <= 0:
            return ()
        entry = OrderRequest(
            symbol=bar.symbol,
            side=Side.BUY if up else Side.SELL,
            qty=self.quantity,
            time_in_force=TimeInForce.GTC,
            reason="above the channel" if up else "below the channel",
        )
        instrument = context.instrument(bar.symbol)
        return [bracket(entry, instrument.worse(target, not up), instrument.worse(stop, not up))]
