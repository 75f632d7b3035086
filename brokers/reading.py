"""Figures and moments as venues write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from trading.engine.bars import to_nanos
from trading.engine.errors import Transient

T = TypeVar("T")

#: No price, quantity or sum of money is so large; what is comes from an answer that is broken.
_TOO_LARGE: Final = Decimal(10**15)


def figure(value: Any) -> Decimal:
    """A figure from a number or a text; raises ValueError or ArithmeticError for anything else."""
    read = Decimal(str(value))
    if not (read.is_finite() and abs(read) < _TOO_LARGE):
        raise ValueError(f"{value!r} is no figure")
    return read


def unit_value(value: Any, qty: Decimal) -> Decimal | None:
    """What one of ``qty`` units is worth that are worth ``value`` together, whatever its sign; None where the venue
    does not tell. Raises as `figure` does."""
    return abs(figure(value) / qty) if value is not None and qty else None


def moment(text: str) -> int:
    """ISO 8601 as nanoseconds since the epoch; a time without a zone is UTC."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return to_nanos(read if read.tzinfo is not None else read.replace(tzinfo=UTC))


def read(venue: str, parse: Callable[[Any], T], body: Any) -> T:
    """What an answer says; raises `Transient` where ``parse`` cannot read it."""
    try:
        return parse(body)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise Transient(f"{venue} gave an answer that cannot be read: {error!r}") from error
