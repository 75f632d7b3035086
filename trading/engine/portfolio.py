"""Cash and positions, exact to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading.engine.bars import price_of
from trading.engine.exact import EXACT, exact
from trading.engine.instruments import instrument_of
from trading.engine.orders import Side

ZERO: Final = Decimal(0)
_COST_STEP: Final = Decimal("1e-12")
# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_BUY: Final = Side.BUY


class Position:
    """Units held of one symbol: positive is long, negative is short.

    ``multiplier`` is the money that one unit of price is worth (100 for an option on 100 shares), ``units`` the float
    of quantity times multiplier, for the mark. ``cost`` is the signed amount of money paid for what is held, fees
    excluded, so that ``avg_price = cost / (qty * multiplier)``; ``realized_pnl`` is what closed units have earned.
    Closing releases cost in proportion; whatever the rounding, what is released and what stays add up to what was
    there.
    """

    __slots__ = ("_price", "_priced", "cost", "last", "multiplier", "qty", "realized_pnl", "symbol", "units")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.multiplier = instrument_of(symbol).multiplier
        self.qty = ZERO
        self.cost = ZERO
        self.realized_pnl = ZERO
        self.units = 0.0
        self.last = 0.0
        self._priced = 0.0
        self._price = ZERO

    @property
    def price(self) -> Decimal:
        """The last close, zero before the first; made once per close, and only where somebody asks."""
        last = self.last
        if last != self._priced:
            self._priced = last
            self._price = price_of(last)
        return self._price

    @property
    def avg_price(self) -> Decimal:
        return self.cost / (self.qty * self.multiplier) if self.qty else ZERO

    @property
    @exact
    def market_value(self) -> Decimal:
        """Signed value at the last close, in the quote currency."""
        return self.qty * self.multiplier * self.price if self.qty else ZERO

    @property
    @exact
    def unrealized_pnl(self) -> Decimal:
        return self.market_value - self.cost

    def trade(self, signed_qty: Decimal, price: Decimal) -> None:
        """Book an execution: positive ``signed_qty`` buys.

        May close, open, or turn the position over.
        """
        held, cost = self.qty, self.cost
        value = EXACT.multiply(price, self.multiplier)
        opening = signed_qty
        if held and (held > 0) != (signed_qty > 0):
            closing = signed_qty if abs(signed_qty) <= abs(held) else held.copy_negate()
            opening = EXACT.subtract(signed_qty, closing)
            released = cost
            if EXACT.add(closing, held):
                released = EXACT.divide(EXACT.multiply(cost, closing.copy_negate()), held)
                released = EXACT.quantize(released, _COST_STEP)
            earned = EXACT.subtract(EXACT.multiply(closing.copy_negate(), value), released)
            self.realized_pnl = EXACT.add(self.realized_pnl, earned)
            cost = EXACT.subtract(cost, released)
        self.cost = EXACT.fma(opening, value, cost)
        self.qty = EXACT.add(held, signed_qty)
        self.units = float(EXACT.multiply(self.qty, self.multiplier))
        if not self.last:
            # A fill is a price too, the only one of a symbol that has no bars.
            self.last = float(price)


class Portfolio:
    """The cash and the positions of one run.

    ``cash`` starts at ``starting_cash`` and changes by fills and by what is paid or earned beside them. ``held`` are
    the ``positions`` that are not flat. ``approximate_equity`` is a running float of cash and positions at the last
    closes, good for a curve; every figure that a person sees comes from `equity`, which is exact.
    """

    __slots__ = ("approximate_equity", "cash", "fees", "held", "positions", "starting_cash")

    def __init__(self, starting_cash: Decimal) -> None:
        self.starting_cash = starting_cash
        self.cash = starting_cash
        self.fees = ZERO
        self.positions: dict[str, Position] = {}
        self.held: dict[str, Position] = {}
        self.approximate_equity = float(starting_cash)

    def position(self, symbol: str) -> Position:
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = Position(symbol)
        return position

    def trade(self, symbol: str, side: Side, qty: Decimal, price: Decimal, fee: Decimal) -> Position:
        """Book one execution of ``qty`` units at ``price``; returns the position after it."""
        signed = qty if side is _BUY else qty.copy_negate()
        position = self.position(symbol)
        position.trade(signed, price)
        if position.qty:
            self.held[symbol] = position
        else:
            self.held.pop(symbol, None)
        if fee:
            self.fees = EXACT.add(self.fees, fee)
        self._pay_out(EXACT.fma(EXACT.multiply(signed, position.multiplier), price, fee))
        return position

    def pay(self, amount: Decimal) -> None:
        """Book money that came, or, negative, went, without a fill."""
        self._pay_out(amount.copy_negate())

    def _pay_out(self, amount: Decimal) -> None:
        self.cash = EXACT.subtract(self.cash, amount)
        # Summing anew each time keeps the running float from gathering rounding errors over millions of bars.
        value = float(self.cash)
        for held in self.held.values():
            value += held.units * held.last
        self.approximate_equity = value

    @property
    @exact
    def market_value(self) -> Decimal:
        return sum((held.market_value for held in self.held.values()), ZERO)

    @property
    @exact
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes, exact."""
        return self.cash + self.market_value

    @property
    @exact
    def realized_pnl(self) -> Decimal:
        return sum((held.realized_pnl for held in self.positions.values()), ZERO)

    @property
    @exact
    def unrealized_pnl(self) -> Decimal:
        return sum((held.unrealized_pnl for held in self.held.values()), ZERO)
