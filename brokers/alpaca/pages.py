"""Alpaca's lists, which come a page at a time, read to their end. ``call`` makes one request, as `wire.Rest.call`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from brokers.alpaca import mapping
from brokers.base import VenueFill
from brokers.listing import listed
from brokers.reading import read
from brokers.sightings import VenueOrder

#: The most that Alpaca lists at once of orders and of account activities.
MOST_ORDERS: Final = 500
MOST_FILLS: Final = 100


def orders(
    call: Callable[..., Any],
    query: dict[str, Any],
    urgent: bool = False,
    hear: Callable[[Any], None] = lambda rows: None,
) -> list[VenueOrder]:
    """Every order that the query finds, oldest first; raises `brokers.listing.Unreadable` with those it can show.

    ``hear`` is told each page as it came, with legs below their orders.
    """
    wanted = {**query, "limit": MOST_ORDERS, "nested": "true", "direction": "asc"}
    found: dict[str, Any] = {}
    while True:
        rows = call("GET", "/orders", wanted, urgent=urgent)
        read("alpaca", hear, rows)
        known = len(found)
        found |= read("alpaca", lambda page: {str(row["id"]): row for row in mapping.rows_of(page)}, rows)
        if len(rows) < MOST_ORDERS or len(found) == known:
            return listed("alpaca", found.values(), mapping.order_of)
        wanted["after"] = read("alpaca", lambda page: page[-1]["submitted_at"], rows)


def fills(call: Callable[..., Any], since: int) -> list[VenueFill]:
    """The account activities since then (ns), which name an order's execution by the quantity that it reached, as the
    order's own progress does."""
    found: list[VenueFill] = []
    query = {"after": mapping.instant(since), "direction": "asc", "page_size": MOST_FILLS}
    while True:
        rows = call("GET", "/account/activities/FILL", query, urgent=True)
        found += read("alpaca", lambda page: [mapping.fill_of(row) for row in page], rows)
        if len(rows) < MOST_FILLS:
            return found
        query["page_token"] = rows[-1]["id"]
