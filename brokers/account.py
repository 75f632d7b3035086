"""The simulated account: its cash and its positions."""

from __future__ import annotations

from decimal import Decimal

from brokers.working import ZERO
from trading.engine.exact import exact


class Account:
    """Cash in the account's currency and units per symbol (negative is short), exact."""

    __slots__ = ("cash", "units")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.units: dict[str, Decimal] = {}

    @exact
    def trade(self, symbol: str, signed: Decimal, price: Decimal, multiplier: Decimal, fee: Decimal) -> None:
        """Book an execution; ``signed`` is positive for a buy."""
        self.units[symbol] = self.units.get(symbol, ZERO) + signed
        self.cash -= signed * price * multiplier + fee

    @exact
    def pay(self, amount: Decimal) -> None:
        """Book money without an execution; negative goes out."""
        self.cash += amount

    def reducible(self, symbol: str, buy: bool) -> Decimal:
        """Units that an order of this side may trade before it would open a position."""
        held = self.units.get(symbol, ZERO)
        return max(-held if buy else held, ZERO)
