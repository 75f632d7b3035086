"""What an execution at the simulated venue costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, Literal, NamedTuple

from brokers.settings import check_names, figures
from brokers.working import ZERO
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument

_BASIS: Final = Decimal(10_000)
_CENT: Final = Decimal("0.01")
_FIGURES: Final = ("per_order", "per_share", "bps")


class Execution(NamedTuple):
    """What a fee is reckoned from. ``first`` is whether it is the order's first execution; ``time`` is in ns."""

    instrument: Instrument
    buy: bool
    qty: Decimal
    price: Decimal
    time: int
    first: bool

    @property
    def notional(self) -> Decimal:
        return self.qty * self.price * self.instrument.multiplier


#: The fee of an execution in the quote currency, whole cents, never negative.
Fees = Callable[[Execution], Decimal]


def commission(per_order: Decimal = ZERO, per_share: Decimal = ZERO, bps: Decimal = ZERO) -> Fees:
    """A fee per order (with its first execution), per unit, and in basis points of the notional: their sum, rounded up
    to the cent. A unit is a share, a contract or a coin."""

    def charge(execution: Execution) -> Decimal:
        total = per_share * execution.qty + execution.notional * bps / _BASIS
        if execution.first:
            total += per_order
        return total.quantize(_CENT, ROUND_CEILING)

    return charge


def read_fees(given: Mapping[str, Any] | Literal["none"] | None) -> Fees | None:
    """The fees that a recipe describes, None for none; raises `InvalidValue` naming the field."""
    if not given or given == "none":
        return None
    if not isinstance(given, Mapping):
        raise InvalidValue(f"fees must be none or a mapping such as {{per_share: 0.005}}, not {given!r}")
    check_names("fees", given, _FIGURES)
    return commission(**figures("fees", given, _FIGURES))
