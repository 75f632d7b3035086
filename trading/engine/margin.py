"""How much equity exposure ties up, by kind of account. Pure.

All figures are per unit of the instrument, in the quote currency, its multiplier included, and are held against the
account's equity (cash plus signed market value), so that the proceeds of a short sale count as what they are: money
that is owed. New exposure needs `initial`; a margin account is called when its equity is under the sum of
`maintenance`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from trading.engine.instruments import AssetClass, Instrument, OptionTerms, Right

_ZERO: Final = Decimal(0)
_INITIAL: Final = Decimal("0.5")
_LONG: Final = Decimal("0.25")
_SHORT: Final = Decimal("0.3")
_CHEAP: Final = Decimal(5)
_CHEAP_FLOOR: Final = Decimal("2.5")
_OPTION: Final = Decimal("0.2")
_OPTION_FLOOR: Final = Decimal("0.1")


class AccountType(StrEnum):
    """``unlevered``: a long is paid in full, a short locks its proceeds and as much again, a short option what it may
    have to deliver. ``cash``: a long is paid in full, nothing is sold short. ``margin``: Regulation T and the Cboe's
    rules for options.
    """

    UNLEVERED = "unlevered"
    CASH = "cash"
    MARGIN = "margin"


def initial(
    account: AccountType, instrument: Instrument, price: Decimal, short: bool, underlying: Decimal | None = None
) -> Decimal:
    """Equity that opening one unit at ``price`` ties up.

    A margin account needs half of a stock's value, long or short (12 CFR 220.12), the whole premium of a long option,
    and `uncovered_option` of a short one; what is neither stock nor option has no loan value. ``underlying`` is the
    price of an option's underlying; where it is not known, the option is taken to be at the money. A short put beside
    its premium ties up a tenth of its strike at least, since an order that ties up nothing counts as one that opens
    nothing.
    """
    terms = instrument.option
    if terms is not None and short:
        spot = terms.strike if underlying is None else underlying
        if account is AccountType.MARGIN:
            return uncovered_option(terms, spot) * instrument.multiplier
        owed = spot if terms.right is Right.CALL else max(terms.strike - price, terms.strike * _OPTION_FLOOR)
        return owed * instrument.multiplier
    value = price * instrument.multiplier
    return value * _INITIAL if account is AccountType.MARGIN and instrument.asset is AssetClass.EQUITY else value


def maintenance(instrument: Instrument, price: Decimal, short: bool, underlying: Decimal | None = None) -> Decimal:
    """Equity that holding one unit in a margin account needs (FINRA rule 4210(c); Cboe rule 10.3 for options).

    A quarter of a long stock; of a short one the greater of 30% and $5, below a price of $5 the greater of 100% and
    $2.50. Options, and what is neither, as `initial`.
    """
    if instrument.asset is not AssetClass.EQUITY:
        return initial(AccountType.MARGIN, instrument, price, short, underlying)
    if not short:
        return price * _LONG
    return max(price * _SHORT, _CHEAP) if price >= _CHEAP else max(price, _CHEAP_FLOOR)


def uncovered_option(terms: OptionTerms, underlying: Decimal) -> Decimal:
    """The margin of an uncovered short option per unit of the underlying, beside the premium that it is worth.

    20% of the underlying less what the option is out of the money, at least 10% of the underlying for a call and of the
    strike for a put (Cboe, "Margin Requirements for Options", equity options).
    """
    if terms.right is Right.CALL:
        out_of_the_money, floor = max(terms.strike - underlying, _ZERO), underlying * _OPTION_FLOOR
    else:
        out_of_the_money, floor = max(underlying - terms.strike, _ZERO), terms.strike * _OPTION_FLOOR
    return max(underlying * _OPTION - out_of_the_money, floor)
