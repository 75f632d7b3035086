"""The one verb towards a venue's account: ask it how it is."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from trading.engine.records import plain
from trading.models import VenueCheck
from trading.venues import comparing, queries
from trading.venues.places import Place
from trading.venues.probing import NAMES, Finding, Findings, probe


def test_connection(name: str, principal: Principal) -> VenueCheck:
    """Ask the venue of an account, within `trading.venues.probing.DEADLINE`, and keep what it said until the next time.

    What goes wrong there is a finding. Raises `trading.venues.queries.UnknownAccount`.
    """
    place = queries.place_of(name)
    at, began = timezone.now(), time.monotonic()
    found = _asked(place)
    seconds = time.monotonic() - began
    kept = {"at": at, "seconds": round(seconds, 3), "by": principal.name, "findings": _beside_ours(name, found)}
    with transaction.atomic():
        check, _ = VenueCheck.objects.update_or_create(account=name, defaults=kept)
        readiness = {part: finding.ok for part, finding in found.readiness.items()}
        audit.record(principal, "account.test", f"account:{name}", readiness=readiness)
    return check


def _asked(place: Place) -> Findings:
    if place.missing():
        unasked = {name: Finding(None, "Not asked.") for name in NAMES}
        return Findings({**unasked, "credentials": Finding(False, place.hint)})
    return probe(place.door, listen=not queries.sessions_of(place.account))


def _beside_ours(name: str, found: Findings) -> dict[str, Any]:
    """The findings as JSON. The ledger is read now, so that both tell of the same moment."""
    account, positions, orders = found.account, found.positions, found.orders
    money = account and {what: plain(getattr(account, what)) for what in ("cash", "equity", "buying_power")}
    return {
        "readiness": {part: {"ok": finding.ok, "says": finding.says} for part, finding in found.readiness.items()},
        "money": money,
        "positions": None if positions is None else comparing.positions(positions, queries.booked_positions(name)),
        "orders": None if orders is None else comparing.orders(orders, queries.booked_orders(name)),
    }
