"""Figures and moments as venues write them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from trading.engine.bars import to_nanos

#: No price, quantity or sum of money is so large; what is comes from an answer that is broken.
_TOO_LARGE: Final = Decimal(10**15)


def figure(value: Any) -> Decimal:
    """A figure from a number or a text; raises ValueError or ArithmeticError for anything else."""
    read = Decimal(str(value))
    if not (read.is_finite() and abs(read) < _TOO_LARGE):
        raise ValueError(f"{value!r} is no figure")
    return read


def moment(text: str) -> int:
    """ISO 8601 as nanoseconds since the epoch; a time without a zone is UTC."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return to_nanos(read if read.tzinfo is not None else read.replace(tzinfo=UTC))
