"""What the venue says beside what the ledger says of the same account. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.base import VenuePosition
from brokers.sightings import VenueOrder
from trading.engine.records import plain
from trading.tickers import ticker_of

Row = dict[str, Any]
_NOTHING = Decimal(0)


def positions(venue: Iterable[VenuePosition], ours: Mapping[str, Decimal]) -> list[Row]:
    """A row per ticker, for a venue does not know how a recipe spells it: what is held by either's word."""
    names: dict[str, str] = {}
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    booked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in venue:
        held[_ticker_in(names, one.symbol)] += one.qty
    for symbol, qty in ours.items():
        booked[_ticker_in(names, symbol)] += qty
    rows = [
        {
            "symbol": names[ticker],
            "venue": plain(held[ticker]),
            "ours": plain(booked[ticker]),
            "differs": held[ticker] != booked[ticker],
        }
        for ticker in names
    ]
    return sorted((row for row in rows if row["differs"] or row["venue"] != "0"), key=lambda row: row["symbol"])


def _ticker_in(names: dict[str, str], symbol: str) -> str:
    """The ticker of a symbol, whose last spelling is kept in ``names``."""
    ticker = ticker_of(symbol)
    names[ticker] = symbol
    return ticker


def orders(venue: Iterable[VenueOrder], ours: Iterable[Row]) -> list[Row]:
    """A row per order that either has as open; ``seen`` is ``both``, ``venue`` alone (by hand, or by another program)
    or ``ours`` alone.

    ``ours`` are rows of `trading.rows.order_row`.
    """
    left = {name: row for row in ours for name in (row["client_order_id"], row["venue_order_id"]) if name}
    rows = []
    for shown in venue:
        booked = left.get(shown.client_order_id) or left.get(shown.venue_order_id)
        if booked is not None:
            left = {name: row for name, row in left.items() if row is not booked}
        rows.append(_order(shown, booked))
    alone = {row["id"]: row for row in left.values()}
    return [*rows, *({**_facts(row), "venue_filled": None, "seen": "ours", "differs": True} for row in alone.values())]


def _order(shown: VenueOrder, booked: Row | None) -> Row:
    if booked is not None:
        filled = Decimal(booked["filled_qty"])
        differs = filled != shown.filled_qty or Decimal(booked["qty"]) != shown.terms.qty
        return {**_facts(booked), "venue_filled": plain(shown.filled_qty), "seen": "both", "differs": differs}
    return {
        "id": None,
        "run_id": None,
        "name": shown.client_order_id or shown.venue_order_id,
        "symbol": shown.terms.symbol,
        "side": shown.terms.side.value,
        "qty": plain(shown.terms.qty),
        "filled": None,
        "venue_filled": plain(shown.filled_qty),
        "seen": "venue",
        "differs": True,
    }


def _facts(booked: Row) -> Row:
    names = ("id", "run_id", "symbol", "side", "qty")
    return {name: booked[name] for name in names} | {"name": booked["client_order_id"], "filled": booked["filled_qty"]}
