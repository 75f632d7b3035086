"""What every sizing method answers, and what those that size by the account's equity have in common."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from math import floor
from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from risk.sizing.memory import Memory
from trading.engine.orders import OrderRequest, Side
from trading.engine.records import plain
from trading.engine.risk import Denial
from trading.engine.strategy import Context

Multiple = Annotated[Decimal, Field(gt=0, le=10, allow_inf_nan=False)]
Share = Annotated[Decimal, Field(ge=0, le=1, allow_inf_nan=False)]

_ZERO: Final = Decimal(0)
#: Fractions of the equity are cut to whole millionths, so that they are exact from here on.
_MILLION: Final = 1_000_000
_MOST: Final = 1000.0


class Stake(msgspec.Struct, frozen=True):
    """Units that a request may open, and why so many."""

    units: Decimal
    why: str


class Method(BaseModel):
    """One way of sizing and its settings, as the recipe writes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def closes(self) -> int:
        """How many past closes per symbol it looks at."""
        return 0

    @property
    def counts_trades(self) -> bool:
        """Whether it looks at how the run's trades ended."""
        return False

    @abstractmethod
    def stake(self, request: OrderRequest, memory: Memory, context: Context) -> Stake | Denial:
        """What a request that opens exposure in a symbol of the run may open."""


class OfEquity(Method):
    """Methods that say what part of the equity the position in a symbol may be worth, at its last price.

    A request gets what is missing to that: what is held and on order on its side already counts. Quantities are rounded
    down to the instrument's step, and held down to what the buying power pays for and to ``max_leverage``: what is held
    and on order of all symbols may be worth so many times the equity.
    """

    max_leverage: Multiple = Decimal(1)

    @abstractmethod
    def part(self, request: OrderRequest, memory: Memory, context: Context) -> tuple[Decimal, str] | Denial:
        """The part of the equity, and why in words."""

    def stake(self, request: OrderRequest, memory: Memory, context: Context) -> Stake | Denial:
        symbol, price = request.symbol, context.last_price(request.symbol)
        if price is None:
            return Denial(code="no_price", message=f"no price of {symbol} is known yet")
        found = self.part(request, memory, context)
        if isinstance(found, Denial):
            return found
        fraction, why = found
        instrument, equity = context.instrument(symbol), max(context.equity, _ZERO)
        value = price * instrument.multiplier
        wanted = fraction * equity / value
        units = wanted - _exposed(symbol, request.side, context)
        if units < wanted:
            why = f"{why}, less what is held and on order"
        for most, whose in (
            ((self.max_leverage * equity - _gross(request, context)) / value, f"leverage {self.max_leverage}"),
            (context.buying_power / context.unit_cost(request), "the buying power"),
        ):
            if most < units:
                units, why = most, f"{why}, held down to {whose}"
        units = max(units, _ZERO)
        whole = instrument.whole(units)
        if whole:
            return Stake(whole, why)
        figure = Decimal(plain(round(units, 6)))
        message = f"{why}: {figure:f} units of {symbol} at {plain(price)}, less than {instrument.step}"
        return Denial(code="size_zero", message=message, figure=figure, limit=instrument.step)


def millionths(fraction: float) -> Decimal:
    """A fraction of the equity, not negative, cut to whole millionths; no cap lets more than a thousand through."""
    return Decimal(floor(min(fraction, _MOST) * _MILLION)) / _MILLION


def capped(fraction: Decimal, cap: Decimal, why: str) -> tuple[Decimal, str]:
    """A fraction no larger than its cap, which its sentence then tells."""
    return (fraction, why) if fraction <= cap else (cap, f"{why}, capped at {cap}")


def _exposed(symbol: str, side: Side, context: Context) -> Decimal:
    """Units held and on order on this side of a symbol."""
    held = context.qty(symbol)
    return max(held if side is Side.BUY else -held, _ZERO) + context.open_qty(symbol, side)


def _gross(request: OrderRequest, context: Context) -> Decimal:
    """What all that is held and on order is worth at the last prices, but for what the request closes."""
    total = _ZERO
    for symbol in context.universe:
        sides = (request.side,) if symbol == request.symbol else tuple(Side)
        units = max(_exposed(symbol, side, context) for side in sides)
        if units:
            total += units * (context.last_price(symbol) or _ZERO) * context.instrument(symbol).multiplier
    return total
