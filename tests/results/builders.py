"""Curves and fills by day."""

from decimal import Decimal

import numpy as np

from trading.results import Execution

DAY = 86_400_000_000_000
FIRST = 19_724 * DAY


def daily(levels):
    """A point a day, at midnight UTC."""
    return FIRST + np.arange(len(levels), dtype=np.int64) * DAY, np.array(levels, float)


def fill(day, side, qty, price, symbol="SPY", fee="0"):
    return Execution(FIRST + day * DAY, symbol, side, Decimal(str(qty)), Decimal(str(price)), Decimal(fee))
