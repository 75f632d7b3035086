"""A venue's list of orders, of which one that cannot be read hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from brokers.sightings import VenueOrder
from trading.engine.errors import Transient


class Unreadable(Transient):
    """Some orders of a list cannot be read; ``shown`` are those that can."""

    def __init__(self, message: str, shown: Sequence[VenueOrder]) -> None:
        super().__init__(message)
        self.shown = shown


def listed(venue: str, rows: Iterable[Any], parse: Callable[[Any], VenueOrder]) -> list[VenueOrder]:
    """Every row as an order; raises `Unreadable` where ``parse`` cannot read one of them."""
    shown: list[VenueOrder] = []
    trouble: Exception | None = None
    for row in rows:
        try:
            shown.append(parse(row))
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            trouble = error
    if trouble is not None:
        raise Unreadable(f"{venue} shows an order that cannot be read: {trouble!r}", shown) from trouble
    return shown
