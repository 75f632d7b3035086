"""Prices as integers, for strategies that decide by two figures being equal or not."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

#: Integer steps per unit of the quote currency: fine enough for every price that data files carry.
TICKS_PER_UNIT: Final = 100_000_000


def ticks(price: float) -> int:
    """A price in integer steps of 1e-8, exact for prices up to ten million with up to eight decimals."""
    return round(price * TICKS_PER_UNIT)


def price_from_ticks(count: int) -> Decimal:
    return Decimal(count) / TICKS_PER_UNIT
