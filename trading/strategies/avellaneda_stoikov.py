"""Make a market: a bid and an ask around a price that leans away from the inventory.

M. Avellaneda, S. Stoikov, High-frequency trading in a limit order book, Quantitative Finance 8 (2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import log, sqrt
from typing import Final

import msgspec

from trading.engine.bars import Bar, price_of
from trading.engine.errors import InvalidValue
from trading.engine.orders import (
    CancelRequest,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Request,
    Side,
    TimeInForce,
)
from trading.engine.strategy import Context, IStrategy

#: States in which a venue can be asked to move an order; in any other the order is left alone until there is news.
_MOVABLE: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


def reservation_price(mid: float, inventory: float, gamma: float, sigma: float, left: float) -> float:
    """The price at which the holder of ``inventory`` units is indifferent: mid - q gamma sigma^2 (T - t).

    Arrays of many paths' figures are taken as well as single ones.
    """
    return mid - inventory * (gamma * sigma * sigma * left)


def spread(gamma: float, sigma: float, k: float, left: float) -> float:
    """The distance from bid to ask: gamma sigma^2 (T - t) + 2 / gamma ln(1 + gamma / k)."""
    return gamma * sigma * sigma * left + 2.0 / gamma * log(1.0 + gamma / k)


class Maker(msgspec.Struct):
    """What is known of one symbol: the bars seen, the last middle and the mean squared step between two."""

    bars: int = 0
    mid: float = 0.0
    variance: float = 0.0


class AvellanedaStoikovState(msgspec.Struct):
    makers: dict[str, Maker] = {}


class AvellanedaStoikovStrategy(IStrategy):
    """Per symbol: keeps a bid and an ask of ``quantity`` units each, moved at each close.

    Time is measured in periods of ``horizon`` bars, at whose end the inventory matters no more and a new one begins.
    ``gamma`` is the aversion to risk; ``k`` (per unit of the quote currency) says how fast the chance of a fill falls
    with the distance from the middle; ``sigma`` is the middle's deviation over one period in the quote currency.
    Without it, it is measured: the root of an exponential mean of squared steps over ``horizon`` bars. The inventory q
    counts ``quantity`` as one. ``lean: false`` quotes around the middle whatever the inventory: the symmetric benchmark
    of the paper. The side that would carry the inventory beyond ``max_inventory`` quotes is withdrawn.
    """

    sizes_itself = True
    state: AvellanedaStoikovState

    def __init__(
        self,
        gamma: float = 0.1,
        k: float = 1.5,
        sigma: float | None = None,
        horizon: int = 200,
        quantity: Decimal = Decimal(1),
        max_inventory: int = 20,
        lean: bool = True,
    ) -> None:
        for name, value in (("gamma", gamma), ("k", k), ("sigma", 1.0 if sigma is None else sigma)):
            if not value > 0:
                raise InvalidValue(f"{name} must be more than zero, not {value}")
        for name, count in (("horizon", horizon), ("max_inventory", max_inventory)):
            if count < 1:
                raise InvalidValue(f"{name} must be at least 1, not {count}")
        self.quantity = Decimal(str(quantity))
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidValue(f"quantity must be more than zero, not {quantity}")
        self.gamma = gamma
        self.k = k
        self.sigma = sigma
        self.horizon = horizon
        self.max_inventory = max_inventory
        self.lean = lean
        self.state = AvellanedaStoikovState()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[Request]:
        maker = self.state.makers.get(bar.symbol)
        if maker is None:
            maker = self.state.makers[bar.symbol] = Maker()
        mid = (bar.bid + bar.ask) / 2.0 if bar.ask > bar.bid > 0 else bar.close
        sigma = self._sigma(maker, mid)
        left = 1.0 - maker.bars % self.horizon / self.horizon
        maker.bars += 1
        maker.mid = mid
        if not sigma:
            return ()
        bid, ask = self.quotes(mid, float(context.qty(bar.symbol) / self.quantity), sigma, left)
        return [*self._keep(bar.symbol, Side.BUY, bid, context), *self._keep(bar.symbol, Side.SELL, ask, context)]

    def quotes(self, mid: float, inventory: float, sigma: float, left: float) -> tuple[float, float]:
        """Bid and ask; ``inventory`` in quotes, ``left`` the part of the period that is still to come."""
        centre = reservation_price(mid, inventory, self.gamma, sigma, left) if self.lean else mid
        half = spread(self.gamma, sigma, self.k, left) / 2.0
        return centre - half, centre + half

    def _sigma(self, maker: Maker, mid: float) -> float | None:
        """The middle's deviation over one period, None while it is not known."""
        if self.sigma is not None:
            return self.sigma
        if not maker.bars:
            return None
        step = mid - maker.mid
        maker.variance += (step * step - maker.variance) / min(maker.bars, self.horizon)
        return sqrt(maker.variance * self.horizon)

    def _keep(self, symbol: str, side: Side, quote: float, context: Context) -> Iterable[Request]:
        """Have exactly one order of this side rest at the quote, or none where it must not."""
        buy = side is Side.BUY
        orders = [order for order in context.open_orders(symbol) if order.side is side]
        if any(order.status not in _MOVABLE for order in orders):
            return ()
        held = context.qty(symbol) if buy else -context.qty(symbol)
        full = held >= self.max_inventory * self.quantity
        if full or quote <= 0:
            return [CancelRequest(order.id, "enough is held" if full else "no price") for order in orders]
        # A bid is rounded down and an ask up: never closer to the market than the formula says.
        price = context.instrument(symbol).worse(price_of(quote), not buy)
        return self._move(orders[0], price) if orders else self._quote(symbol, side, price)

    def _quote(self, symbol: str, side: Side, price: Decimal) -> Iterable[Request]:
        order = OrderRequest(
            symbol=symbol,
            side=side,
            qty=self.quantity,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=price,
            reason="quote",
        )
        return [order]

    def _move(self, order: OrderRecord, price: Decimal) -> Iterable[Request]:
        if order.limit_price == price and order.remaining_qty == self.quantity:
            return ()
        return [ReplaceRequest(order_id=order.id, qty=self.quantity, limit_price=price, reason="quote")]
