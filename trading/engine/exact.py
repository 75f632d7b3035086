"""Sums and products of money that are never rounded."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, localcontext
from functools import wraps
from typing import Final, ParamSpec, TypeVar

# Python's own 28 digits are too few: an adjusted price has 17, a fractional quantity 14, and cash is the sum of both.
EXACT: Final = Context(prec=120)

P = ParamSpec("P")
R = TypeVar("R")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function reckon without rounding; what it divides, it must round itself."""

    @wraps(function)
    def reckon(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return reckon
