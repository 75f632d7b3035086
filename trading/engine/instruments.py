"""What can be traded: ticks, lots, multipliers and, for options, their terms."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final

import msgspec

from trading.engine.errors import InvalidValue
from trading.engine.symbols import Symbol

_OCC: Final = re.compile(r"(?P<root>[A-Z]{1,6})(?P<expiry>[0-9]{6})(?P<right>[CP])(?P<strike>[0-9]{8})")
_CENT: Final = Decimal("0.01")
_SUB_PENNY: Final = Decimal("0.0001")
_ONE: Final = Decimal(1)
_MILLIONTH: Final = Decimal("0.000001")


class AssetClass(StrEnum):
    EQUITY = "equity"
    OPTION = "option"
    CRYPTO = "crypto"


class Right(StrEnum):
    CALL = "call"
    PUT = "put"


class OptionTerms(msgspec.Struct, frozen=True):
    """A listed option's terms: ``strike`` in the quote currency per unit of ``underlying``, ``expiry`` its last day."""

    underlying: str
    expiry: date
    strike: Decimal
    right: Right


class Instrument(msgspec.Struct, frozen=True):
    """One symbol's rules of trading.

    ``tick`` is the price step in the quote currency, None for US equities, whose step depends on the price; ``lot`` is
    the step of quantities in units, None where every quantity can be traded; ``multiplier`` is how many units of money
    one unit of price is worth. ``calendar`` is an exchange's code for `trading.engine.calendars`.
    """

    symbol: str
    asset: AssetClass = AssetClass.EQUITY
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal = _ONE
    calendar: str = "XNYS"
    option: OptionTerms | None = None

    def tick_at(self, price: Decimal) -> Decimal:
        """For US equities a cent from one dollar on, a hundredth of it below (rule 612)."""
        if self.tick is not None:
            return self.tick
        return _CENT if price >= _ONE else _SUB_PENNY

    def worse(self, price: Decimal, buy: bool) -> Decimal:
        """``price`` on a tick, rounded against the trader: up for a buyer, down for a seller, at least one tick."""
        tick = self.tick_at(price)
        steps = (price / tick).to_integral_value(ROUND_CEILING if buy else ROUND_FLOOR)
        return max(steps, _ONE) * tick

    def is_on_tick(self, price: Decimal) -> bool:
        return price % self.tick_at(price) == 0

    def is_on_lot(self, qty: Decimal) -> bool:
        return self.lot is None or qty % self.lot == 0

    @property
    def step(self) -> Decimal:
        """The step of quantities that are reckoned: the lot, else whole units, of crypto millionths."""
        return self.lot or (_MILLIONTH if self.asset is AssetClass.CRYPTO else _ONE)

    def whole(self, qty: Decimal) -> Decimal:
        """``qty``, which is not negative, rounded down to a step."""
        return qty // self.step * self.step


def instrument_of(symbol: str, tick: Decimal | None = None, lot: Decimal | None = None) -> Instrument:
    """The instrument that a symbol's text names, with another tick or lot where given.

    ``TWX140621C00070000`` (root, expiry, right, strike x 1000) is a US option on 100 units in ticks of a cent;
    ``BTC/USD`` is a crypto pair, traded around the clock in any fraction; all else is a US equity. Raises
    `InvalidValue` for a text that is no symbol.
    """
    ticker = Symbol.parse(symbol).ticker
    terms = _option_terms(ticker)
    if terms is not None:
        return Instrument(symbol, AssetClass.OPTION, tick or _CENT, lot or _ONE, Decimal(100), "XNYS", terms)
    if "/" in ticker:
        return Instrument(symbol, AssetClass.CRYPTO, tick or Decimal("0.00000001"), lot, calendar="24/7")
    return Instrument(symbol, AssetClass.EQUITY, tick, lot)


def _option_terms(ticker: str) -> OptionTerms | None:
    match = _OCC.fullmatch(ticker)
    if match is None:
        return None
    try:
        expiry = datetime.strptime(match["expiry"], "%y%m%d").date()  # noqa: DTZ007  (a day, not a moment)
    except ValueError:
        raise InvalidValue(f"symbol {ticker!r} reads as an option, but {match['expiry']} is no day (yymmdd)") from None
    right = Right.CALL if match["right"] == "C" else Right.PUT
    return OptionTerms(match["root"], expiry, Decimal(match["strike"]) / 1000, right)


def option_symbol(underlying: str, expiry: date, right: Right, strike: Decimal) -> str:
    """The text that names an option, for example ``TWX140621C00070000``."""
    return f"{underlying}{expiry:%y%m%d}{'C' if right is Right.CALL else 'P'}{int(strike * 1000):08d}"
