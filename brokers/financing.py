"""What holding costs and earns overnight: the borrow of shorts and interest on cash. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

import msgspec

from brokers.settings import check_names, figure
from brokers.working import ZERO
from trading.engine.errors import InvalidValue

_CENT: Final = Decimal("0.01")
#: Percent of a year of 360 days, the convention of the US money market.
_DAY_PERCENT: Final = Decimal(36_000)


class Financing(msgspec.Struct, frozen=True, kw_only=True):
    """Annual rates in percent: ``borrow`` of shorts for every symbol, ``borrow_of`` for single ones, ``credit`` on cash
    and ``debit`` on what is owed."""

    borrow: Decimal = ZERO
    borrow_of: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    credit: Decimal = ZERO
    debit: Decimal = ZERO

    def borrow_cost(self, symbol: str, value: Decimal, days: int) -> Decimal:
        """The cost, rounded up to the cent, of a short worth ``value`` (positive) over so many calendar days."""
        rate = self.borrow_of.get(symbol, self.borrow)
        return (value * rate * days / _DAY_PERCENT).quantize(_CENT, ROUND_CEILING)

    def interest(self, balance: Decimal, days: int) -> Decimal:
        """Interest on a balance over so many calendar days: earned if positive, else owed; rounded down to the cent."""
        rate = self.credit if balance > 0 else self.debit
        return (balance * rate * days / _DAY_PERCENT).quantize(_CENT, ROUND_FLOOR)


def read_financing(
    borrow_rate: Mapping[str, Any] | float | Decimal | None, interest: Mapping[str, Any] | None
) -> Financing | None:
    """The rates that a recipe describes, None for none; raises `InvalidValue` naming the field."""
    if not borrow_rate and not interest:
        return None
    if interest is not None and not isinstance(interest, Mapping):
        raise InvalidValue(f"interest must be a mapping such as {{credit: 2, debit: 6}}, not {interest!r}")
    interest = interest or {}
    check_names("interest", interest, ("credit", "debit"))
    credit, debit = (figure(f"interest.{name}", interest.get(name, 0)) for name in ("credit", "debit"))
    if isinstance(borrow_rate, Mapping):
        per_symbol = {symbol: figure(f"borrow_rate.{symbol}", value) for symbol, value in borrow_rate.items()}
        return Financing(borrow_of=per_symbol, credit=credit, debit=debit)
    return Financing(borrow=figure("borrow_rate", borrow_rate or 0), credit=credit, debit=debit)
