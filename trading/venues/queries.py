"""What the accounts page and `GET /accounts` know. Nothing here changes anything, and no venue is asked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from risk import promotion
from risk.models import Account
from trading.account_room import queries as shared
from trading.engine.orders import OPEN_STATUSES
from trading.engine.records import plain
from trading.models import Mode, Order, OutsideOrder, Position, Run, VenueCheck
from trading.queries import ACTIVE
from trading.recipes.credentials import needed, variables_of
from trading.rows import moment, order_row
from trading.venues.places import PLACES, Place
from trading.venues.probing import NAMES

Row = dict[str, Any]


class UnknownAccount(LookupError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no account at a venue: there are {', '.join(PLACES)}")


def place_of(name: str) -> Place:
    """Raises `UnknownAccount`."""
    try:
        return PLACES[name]
    except KeyError:
        raise UnknownAccount(name) from None


def accounts() -> list[Row]:
    """The accounts whose variables are set, that a run has traded in, or that were ever promoted, limited or tested."""
    sessions, promotions = _sessions(), _promotions()
    checks = {check.account: check for check in VenueCheck.objects.all()}
    breakers = {row.name: row for row in Account.objects.all()}
    traded = _runs().filter(account__in=PLACES).values_list("account", flat=True).distinct()
    known = {*traded, *promotions, *checks, *breakers}
    return [
        _row(place, sessions[name], promotions.get(name), checks.get(name), breakers.get(name))
        for name, place in PLACES.items()
        if name in known or place.is_set_up()
    ]


def account(name: str) -> Row:
    """One account with its ``positions`` and ``orders`` by the venue's word and the ledger's, as they were when it was
    last tested (None before), its ``limits``, and in ``outside`` the orders of others. Raises `UnknownAccount`."""
    place = place_of(name)
    check = VenueCheck.objects.filter(pk=name).first()
    breaker = Account.objects.filter(pk=name).first()
    row = _row(place, _sessions()[name], _promotions().get(name), check, breaker)
    found = {} if check is None else check.findings
    return {
        **row,
        "positions": found.get("positions"),
        "orders": found.get("orders"),
        "limits": shared.account(name)["headroom"],
        "outside": outside_orders(name),
    }


def simulated() -> Row:
    """The simulated venue, where each run is an account of its own."""
    return {"venue": "sim", "sessions": _runs().filter(status__in=ACTIVE, venue="sim").count()}


def to_set_up() -> list[Row]:
    """For each venue the variables that an account there needs, or, where it needs none, those that lead there."""
    adapters = [place.adapter for place in PLACES.values() if not place.live]
    return [{"venue": one.venue, "variables": needed(one) or variables_of(one)} for one in adapters]


def sessions_of(name: str) -> int:
    """How many sessions are under way in an account."""
    return _sessions()[name]


def booked_positions(name: str) -> dict[str, Decimal]:
    """What the runs of an account hold together by the ledger, by symbol."""
    held = Position.objects.filter(~Q(qty=0), run__in=_runs().filter(account=name))
    return dict(held.order_by().values_list("symbol").annotate(total=Sum("qty")))


def booked_orders(name: str) -> list[Row]:
    """The orders of an account that are open by the ledger, as `trading.rows.order_row`."""
    found = Order.objects.filter(status__in=OPEN_STATUSES, run__in=_runs().filter(account=name))
    return [order_row(order) for order in found.order_by("created_at", "id")]


def outside_orders(account: str, most: int = 50) -> list[Row]:
    """The last orders of an account that no run has sent, newest first."""
    return [
        {
            "venue_order_id": one.venue_order_id,
            "name": one.name,
            "symbol": one.symbol,
            "side": one.side,
            "qty": plain(one.qty),
            "filled_qty": plain(one.filled_qty),
            "limit_price": plain(one.limit_price) or None,
            "status": one.status,
            "by": one.by,
            "reason": one.reason,
            "first_seen": moment(one.first_seen),
        }
        for one in OutsideOrder.objects.filter(account=account)[:most]
    ]


def _runs() -> QuerySet[Run]:
    return Run.objects.exclude(mode=Mode.BACKTEST).order_by()


def _sessions() -> Counter[str]:
    return Counter(_runs().filter(status__in=ACTIVE).values_list("account", flat=True))


def _promotions() -> dict[str, Row]:
    return {one["account"]: one for one in promotion.standing()}


def _row(place: Place, sessions: int, promoted: Row | None, check: VenueCheck | None, breaker: Account | None) -> Row:
    found: Row = {} if check is None else check.findings
    readiness = {name: {"ok": None, "says": "Not tested yet."} for name in NAMES} | found.get("readiness", {})
    missing = place.missing()
    if missing:
        readiness["credentials"] = {"ok": False, "says": place.hint}
    return {
        "account": place.account,
        "venue": place.adapter.venue,
        "kind": "live" if place.live else "paper",
        "missing": missing,
        "ready": _ready(readiness),
        "readiness": readiness,
        "money": found.get("money"),
        "differences": None if check is None else _differences(found),
        "tested": None if check is None else {"at": moment(check.at), "seconds": check.seconds, "by": check.by},
        "sessions": sessions,
        "promotion": promoted,
        "breaker": None if breaker is None else shared.breaker(breaker),
    }


def _ready(readiness: Row) -> bool | None:
    """Whether orders could leave while the market is open; None where nobody has asked."""
    if any(finding["ok"] is False for name, finding in readiness.items() if name != "market"):
        return False
    return True if readiness["rest"]["ok"] else None


def _differences(found: Row) -> int | None:
    """How many rows of positions and orders differ; None where the venue did not come to tell both."""
    if found["positions"] is None or found["orders"] is None:
        return None
    return sum(bool(row["differs"]) for row in (*found["positions"], *found["orders"]))
