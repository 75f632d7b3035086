"""Limits of a whole account, and what its runs may come to together. Pure.

The worst case is reckoned per run and symbol: the position with all of its granted open buys filled, and with all of
its granted open sells. Positions of two runs are never set off against one another in gross exposure or in a symbol, so
that an exit of one of them, which always passes, can bring neither over its limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain
from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from trading.engine.errors import InvalidValue
from trading.engine.orders import Side
from trading.engine.risk import Denial
from trading.engine.symbols import Symbol

Amount = Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 15, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0, le=1_000_000)]

_ZERO: Final = Decimal(0)
_OF_ALL_SYMBOLS: Final = ("max_gross_exposure", "max_net_exposure")


class AccountLimits(BaseModel):
    """No limit is set but those that are named. Values are money in the account's currency.

    ``max_gross_exposure``: the sum of what all runs may hold, long or short, if all that is open were filled.
    ``max_net_exposure``: the same with shorts negative, in either direction; it holds orders that would bring the
    account further in that direction. ``max_position_value``: per symbol, over all runs. ``max_order_value``: one
    order. ``max_open_orders``: open orders that may open something. ``max_daily_loss``: what all runs lost since 00:00
    UTC, by the marks last written; over it, nothing more is opened on that day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_gross_exposure: Amount | None = None
    max_net_exposure: Amount | None = None
    max_position_value: Amount | None = None
    max_order_value: Amount | None = None
    max_open_orders: Count | None = None
    max_daily_loss: Amount | None = None

    def loosens(self, before: AccountLimits) -> list[str]:
        """The limits that let more pass than ``before`` did."""
        return [name for name in AccountLimits.model_fields if _is_over(getattr(self, name), getattr(before, name))]


def _is_over(limit: Decimal | int | None, before: Decimal | int | None) -> bool:
    return before is not None and (limit is None or limit > before)


class Holding(msgspec.Struct, frozen=True):
    """Units that a run holds of a symbol, negative when short, and what one is worth; zero where nobody knows that."""

    run: str
    symbol: str
    qty: Decimal
    unit_value: Decimal


class Opening(msgspec.Struct, frozen=True):
    """An order that may open exposure: ``qty`` is what it has left, ``unit_value`` the dearest that a unit may cost,
    multipliers included; zero where nobody knows that, as of others' market orders. Orders of one ``group`` share a
    quantity; one that ``replaces`` another takes its place. What is ``beside`` an order that is asked about was to
    close a position, and may open another once that order has."""

    order_id: str
    run: str
    symbol: str
    side: Side
    qty: Decimal
    unit_value: Decimal
    group: str = ""
    replaces: str = ""
    beside: bool = False


class Reach(msgspec.Struct, frozen=True):
    """What a run may come to in a symbol: ``low`` and ``high`` in units, shorts negative, and the worth of one."""

    symbol: str
    low: Decimal
    high: Decimal
    unit_value: Decimal

    @property
    def value(self) -> Decimal:
        return max(abs(self.low), abs(self.high)) * self.unit_value

    @property
    def is_unpriced(self) -> bool:
        return not self.unit_value and bool(self.low or self.high)


class AccountState(msgspec.Struct):
    """What an account holds and has granted, all runs together. ``loss`` is the day's, over all of them."""

    holdings: Sequence[Holding] = ()
    openings: list[Opening] = []
    loss: Decimal = _ZERO

    def refusal(self, asked: Sequence[Opening], limits: AccountLimits) -> Denial | None:
        """Why these orders, which leave together, may not; None where they may, whatever fills in whatever order."""
        unmeasured = self._unmeasured(asked, limits)
        if unmeasured is not None:
            return unmeasured
        for name, sentence, figure in self._figures(asked):
            limit = getattr(limits, name)
            if limit is not None and figure > limit:
                message = f"{sentence} {figure:.2f}, over the {limit} of {name}"
                return Denial(code=f"account_{name}", message=message, figure=figure, limit=Decimal(limit))
        return None

    def _unmeasured(self, asked: Sequence[Opening], limits: AccountLimits) -> Denial | None:
        """A limit on the value of all symbols cannot be measured with one among them whose price is not known."""
        name = next((name for name in _OF_ALL_SYMBOLS if getattr(limits, name) is not None), None)
        values = chain((one.unit_value for one in self.holdings), (one.unit_value for one in self.openings))
        if name is None or all(values):
            return None
        for one in reach(self.holdings, (*self.openings, *asked)):
            if one.is_unpriced:
                message = (
                    f"what {one.symbol} is worth, which the account has outside of all runs, is not known, and so not"
                    f" what comes under {name}: ask the venue (alphaswarm reconcile now), close it there, or lift the"
                    " limit"
                )
                return Denial(code="account_unpriced", message=message)
        return None

    def unpriced(self) -> list[str]:
        """The symbols whose price nobody knows, which count for nothing in `used`."""
        return sorted({one.symbol for one in reach(self.holdings, self.openings) if one.is_unpriced})

    def used(self) -> list[tuple[str, Decimal, str | None]]:
        """What is used of each limit that an account may have now; of positions, the symbol that comes to most."""
        reaches = reach(self.holdings, self.openings)
        symbols: defaultdict[str, Decimal] = defaultdict(Decimal)
        for one in reaches:
            symbols[_ticker(one.symbol)] += one.value
        most = max(symbols, key=lambda symbol: symbols[symbol], default=None)
        return [
            ("max_gross_exposure", sum(symbols.values(), _ZERO), None),
            ("max_net_exposure", max(net_exposure(reaches, side) for side in Side), None),
            ("max_position_value", symbols[most] if most else _ZERO, most),
            ("max_open_orders", Decimal(len(self.openings)), None),
            ("max_daily_loss", self.loss, None),
        ]

    def _figures(self, asked: Sequence[Opening]) -> Iterable[tuple[str, str, Decimal]]:
        """Each limit's name, what is measured, and the figure if the orders left."""
        yield "max_daily_loss", "the account lost since 00:00 UTC", self.loss
        for one in asked:
            if not one.beside:
                yield "max_order_value", "the order is worth", one.qty * one.unit_value
        after = list({one.order_id: one for one in (*self.openings, *asked)}.values())
        yield "max_open_orders", "open orders of the account would be", Decimal(len(after))
        reaches = reach(self.holdings, after)
        for symbol in dict.fromkeys(one.symbol for one in asked):
            value = sum((one.value for one in reaches if _ticker(one.symbol) == _ticker(symbol)), _ZERO)
            yield "max_position_value", f"{symbol} in all runs of the account would come to", value
        gross = sum((one.value for one in reaches), _ZERO)
        yield "max_gross_exposure", "gross exposure of the account would come to", gross
        for side in dict.fromkeys(one.side for one in asked):
            net = net_exposure(reaches, side)
            yield "max_net_exposure", "net exposure of the account would come to", net


def _ticker(symbol: str) -> str:
    """What runs may write in several ways, an account trades as one; what others hold need be no symbol of ours."""
    try:
        return Symbol.parse(symbol).letters
    except InvalidValue:
        return symbol


def net_exposure(reaches: Iterable[Reach], side: Side) -> Decimal:
    """How far all that is open on this side may bring the account's net exposure in its direction."""
    if side is Side.BUY:
        return sum((one.high * one.unit_value for one in reaches), _ZERO)
    return -sum((one.low * one.unit_value for one in reaches), _ZERO)


def reach(holdings: Iterable[Holding], openings: Sequence[Opening]) -> list[Reach]:
    """The worst case of each run and symbol. Orders that share a quantity count once, the largest for all.

    What nobody knows the price of is worth the most that an order in the symbol may cost.
    """
    held = {(one.run, one.symbol): one for one in holdings}
    worth: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for key, one in held.items():
        worth[key] = one.unit_value
    shared: dict[str, str] = {}
    most: dict[tuple[str, str, Side, str], Decimal] = {}
    for order in openings:
        name = shared[order.order_id] = order.group or shared.get(order.replaces, order.order_id)
        place = (order.run, order.symbol, order.side, name)
        most[place] = max(most.get(place, _ZERO), order.qty)
        key = (order.run, order.symbol)
        worth[key] = max(worth[key], order.unit_value)
    units: defaultdict[tuple[str, str, Side], Decimal] = defaultdict(Decimal)
    for (run, symbol, side, _), qty in most.items():
        units[run, symbol, side] += qty
    found = []
    for (run, symbol), unit_value in worth.items():
        qty = held[run, symbol].qty if (run, symbol) in held else _ZERO
        low, high = qty - units[run, symbol, Side.SELL], qty + units[run, symbol, Side.BUY]
        found.append(Reach(symbol, low, high, unit_value or _dearest(symbol, openings)))
    return found


def _dearest(symbol: str, openings: Iterable[Opening]) -> Decimal:
    ticker = _ticker(symbol)
    return max((one.unit_value for one in openings if _ticker(one.symbol) == ticker), default=_ZERO)
