"""Hold what has risen most of late."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.indicators import RateOfChange
from trading.engine.instruments import Instrument
from trading.engine.orders import OrderRequest, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy

#: The timer that ends a stamp at which some symbols had no bar.
_STAMP_OVER: Final = "stamp over"


class MomentumState(msgspec.Struct):
    """``stamp`` is the time at which bars are coming in, ``seen`` how many did, ``stamps`` how many are over.

    ``buys`` are the units that are still to be bought once the sales of the same rebalancing are done.
    """

    returns: dict[str, RateOfChange] = {}
    stamp: int = -1
    seen: int = 0
    stamps: int = 0
    buys: dict[str, Decimal] = {}


class MomentumStrategy(IStrategy):
    """Cross-sectional: every ``every`` stamps, puts ``invest`` of the equity in equal parts into the ``top`` symbols of
    the universe by their return over the last ``lookback`` bars, and sells what is no longer among them.

    Bars come symbol by symbol, so a stamp is over with the bar of the last symbol, or, where a symbol has none, just
    before the first bar of a later stamp: a timer tells. Sales come first, and what they bring in is spent at the first
    stamp at which no order is open. All orders are good-till-cancelled market orders in whole units (crypto: in
    millionths). A symbol is not held before its return is known; equal returns rank by name. A rebalancing that finds
    an order open is left out.
    """

    sizes_itself = True
    state: MomentumState

    def __init__(self, lookback: int = 60, every: int = 20, top: int = 2, invest: float = 0.95) -> None:
        for name, value in (("lookback", lookback), ("every", every), ("top", top)):
            if value < 1:
                raise InvalidValue(f"{name} must be at least 1, not {value}")
        if not 0 < invest <= 1:
            raise InvalidValue(f"invest must be more than 0 and at most 1, not {invest}")
        self.lookback = lookback
        self.every = every
        self.top = top
        self.invest = Decimal(str(invest))
        self.state = MomentumState()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        state = self.state
        change = state.returns.get(bar.symbol)
        if change is None:
            change = state.returns[bar.symbol] = RateOfChange(self.lookback)
        if bar.time != state.stamp:
            state.stamp, state.seen = bar.time, 0
            context.set_timer(_STAMP_OVER, bar.time + 1)
        change.update(bar.close)
        state.seen += 1
        if state.seen < len(context.universe):
            return ()
        context.cancel_timer(_STAMP_OVER)
        return self._on_stamp(context)

    def on_timer(self, name: str, context: Context) -> Sequence[OrderRequest]:
        return self._on_stamp(context)

    def _on_stamp(self, context: Context) -> Sequence[OrderRequest]:
        """All bars of a stamp are in."""
        state = self.state
        state.stamps += 1
        if state.stamps % self.every == 0:
            return self._rebalance(context)
        return self._buy(context)

    def _rebalance(self, context: Context) -> Sequence[OrderRequest]:
        targets = self._targets(context)
        if not targets or context.open_orders():
            return ()
        changes = {symbol: targets.get(symbol, Decimal(0)) - context.qty(symbol) for symbol in context.universe}
        self.state.buys = {symbol: units for symbol, units in changes.items() if units > 0}
        sales = [_order(symbol, Side.SELL, -units) for symbol, units in changes.items() if units < 0]
        return sales or self._buy(context)

    def _buy(self, context: Context) -> Sequence[OrderRequest]:
        buys = self.state.buys
        if not buys or context.open_orders():
            return ()
        self.state.buys = {}
        return [_order(symbol, Side.BUY, units) for symbol, units in buys.items()]

    def _targets(self, context: Context) -> dict[str, Decimal]:
        """Units to hold of the best symbols; none before so many returns are known."""
        returns = {symbol: change.value for symbol, change in self.state.returns.items() if change.value is not None}
        if len(returns) < self.top:
            return {}
        ranked = sorted(returns, key=lambda symbol: (-returns[symbol], symbol))
        share = context.equity * self.invest / self.top
        best = ranked[: self.top]
        return {symbol: _units(share, context.last_price(symbol), context.instrument(symbol)) for symbol in best}


def _units(money: Decimal, price: Decimal | None, instrument: Instrument) -> Decimal:
    """As many units as the money buys, on the instrument's lot."""
    if not price or money <= 0:
        return Decimal(0)
    return instrument.whole(money / (price * instrument.multiplier))


def _order(symbol: str, side: Side, qty: Decimal) -> OrderRequest:
    return OrderRequest(symbol=symbol, side=side, qty=qty, time_in_force=TimeInForce.GTC, reason="rebalance")
