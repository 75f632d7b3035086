"""The simulated account: its cash and its positions."""

from __future__ import annotations

from decimal import Decimal

from brokers.working import ZERO
from trading.engine.exact import EXACT


class Account:
    """Cash in the account's currency and units per symbol (negative is short), exact."""

    __slots__ = ("cash", "units")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.units: dict[str, Decimal] = {}

    def trade(self, symbol: str, signed: Decimal, price: Decimal, multiplier: Decimal, fee: Decimal) -> None:
        """Book an execution; ``signed`` is positive for a buy."""
        self.units[symbol] = EXACT.add(self.units.get(symbol, ZERO), signed)
        paid = EXACT.fma(EXACT.multiply(signed, multiplier), price, fee)
        self.cash = EXACT.subtract(self.cash, paid)

    def pay(self, amount: Decimal) -> None:
        """Book money without an execution; negative goes out."""
        self.cash = EXACT.add(self.cash, amount)

    def reducible(self, symbol: str, buy: bool) -> Decimal:
        """Units that an order of this side may trade before it would open a position."""
        held = self.units.get(symbol, ZERO)
        return max(-held if buy else held, ZERO)
