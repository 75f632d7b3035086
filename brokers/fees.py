"""What an execution at the simulated venue costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, Literal

from brokers.executions import Execution
from brokers.regulatory import us_regulatory
from brokers.settings import check_names, figures
from brokers.working import ZERO
from trading.engine.errors import InvalidValue

_BASIS: Final = Decimal(10_000)
_CENT: Final = Decimal("0.01")
_FIGURES: Final = ("per_order", "per_share", "bps")

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
    check_names("fees", given, (*_FIGURES, "us_regulatory"))
    regulatory = given.get("us_regulatory", False)
    if not isinstance(regulatory, bool):
        raise InvalidValue(f"fees.us_regulatory must be true or false, not {regulatory!r}")
    ours = commission(**figures("fees", {key: given[key] for key in _FIGURES if key in given}, _FIGURES))
    if not regulatory:
        return ours
    return lambda execution: ours(execution) + us_regulatory(execution)
