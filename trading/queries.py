"""The reads. Pages, the API, the command line and the sockets ask here; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from risk.drill_models import ACCOUNT as DRILL
from trading import frames, rows
from trading.accounts import Account, account_of, event_time, kind_of, totals
from trading.engine.orders import OPEN_STATUSES
from trading.engine.records import Kind
from trading.models import Fill, LedgerEvent, Mode, Order, Position, Run, RunStatus
from trading.pages import page

Row = dict[str, Any]

ACTIVE: Final = [
    RunStatus.QUEUED,
    RunStatus.STARTING,
    RunStatus.RUNNING,
    RunStatus.REDUCING,
    RunStatus.DRAINING,
]
#: How many rows the overview shows of what may be many.
CLOSED_ACCOUNTS: Final = 50
OPEN_ORDERS: Final = 50
LAST_FILLS: Final = 20

NEWEST_RUNS: Final = ["-created_at", "-id"]
#: By what the list of runs can be sorted, with its keys. Only a run that has ended has a result.
ORDERS: Final[Mapping[str, tuple[str, list[str]]]] = {
    "newest": ("Newest first", NEWEST_RUNS),
    "oldest": ("Oldest first", ["created_at", "id"]),
    "name": ("Name", ["name", "-created_at", "-id"]),
    "best": ("Highest result, of ended ones", ["-total_pnl", "-id"]),
    "worst": ("Lowest result, of ended ones", ["total_pnl", "-id"]),
    "fills": ("Most fills", ["-num_fills", "-id"]),
}
NEWEST_ORDERS: Final = ["-created_at", "-id"]
NEWEST_FILLS: Final = ["-filled_at", "-id"]


def find_run(named: str) -> Run | None:
    """A run by its task id, or by its own id."""
    found = Run.objects.select_related("bot_version")
    return found.filter(task_id=named).first() or (found.filter(pk=named).first() if is_id(named) else None)


def is_id(text: str) -> bool:
    """Whether the text is an id of a run, or could be one."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def run(run_id: UUID) -> Run | None:
    return Run.objects.filter(pk=run_id).select_related("bot", "bot_version").first()


@dataclass(frozen=True)
class RunFilter:
    """``status`` is a state, ``active`` or ``ended``; ``search`` is part of a name, or the beginning of an id."""

    status: str = ""
    mode: str = ""
    search: str = ""

    def apply(self, found: QuerySet[Run]) -> QuerySet[Run]:
        if self.status == "active":
            found = found.filter(status__in=ACTIVE)
        elif self.status == "ended":
            found = found.exclude(status__in=ACTIVE)
        elif self.status:
            found = found.filter(status=self.status)
        if self.mode:
            found = found.filter(mode=self.mode)
        if self.search:
            found = found.filter(Q(name__icontains=self.search) | _id_begins(self.search))
        return found


def _id_begins(text: str) -> Q:
    """Ids that begin with ``text``; as a range, which the primary key's index can answer."""
    digits = text.replace("-", "").lower()
    if not digits or len(digits) > 32 or set(digits) - set("0123456789abcdef"):
        return Q(pk__in=[])
    return Q(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))


def runs(wanted: RunFilter, after: str | None = None, limit: int = 50, order: str = "newest") -> Row:
    """A page of runs in one of `ORDERS`. Raises `InvalidValue` for a cursor that is none."""
    found = wanted.apply(Run.objects.select_related("bot_version"))
    _, keys = ORDERS[order]
    if keys[0].lstrip("-") == "total_pnl":
        found = found.filter(total_pnl__isnull=False)
    return page(found, keys, after, limit, run_row)


def run_row(run: Run) -> Row:
    """A run as `rows.run_row`, with its ``kind`` and, while it goes on, what its last flushed state says."""
    row = {**rows.run_row(run), "kind": kind_of(run), "active": run.status in ACTIVE}
    if row["active"] and run.state:
        account = account_of(run, run.state, None, open_=True)
        row |= {"total_pnl": account["pnl"], "num_bars": account["bars"]}
    return row


def run_orders(run_id: UUID, cursor: str | None = None, limit: int = 100) -> Row:
    return page(Order.objects.filter(run=run_id), NEWEST_ORDERS, cursor, limit, rows.order_row)


def run_fills(run_id: UUID, cursor: str | None = None, limit: int = 100) -> Row:
    return page(Fill.objects.filter(run=run_id), NEWEST_FILLS, cursor, limit, rows.fill_row)


def run_account(run: Run) -> Account:
    """The account of one run, by the latest that is known of it."""
    return _accounts([run])[0]


def gate_reasons(run_id: UUID) -> list[Row]:
    """Why the metadata gate refused a run: ``[{"code", "message"}]``, empty where it did not."""
    events = LedgerEvent.objects.filter(run=run_id, kind=Kind.RUN_STATUS).order_by("-seq")
    payload = events.values_list("payload", flat=True).first() or {}
    return list((payload.get("data") or {}).get("reasons") or [])


def open_orders(limit: int = OPEN_ORDERS) -> list[Row]:
    """Orders that may still trade, newest first."""
    found = Order.objects.filter(status__in=OPEN_STATUSES).select_related("run").order_by("-created_at", "-id")
    return [_of_run(rows.order_row(order), order.run) for order in found[:limit]]


# Asked session by session: the newest fills of all may be a million of one backtest.
_LAST_FILLS: Final = """
    SELECT fill.* FROM unnest(%s::uuid[]) AS session(id)
      JOIN LATERAL (SELECT * FROM fills WHERE run_id = session.id
                     ORDER BY filled_at DESC, id DESC LIMIT %s) fill ON true
     ORDER BY fill.id DESC LIMIT %s
"""


def last_fills(limit: int = LAST_FILLS) -> list[Row]:
    """The newest fills of paper and live runs that are under way or ended last, the last one booked first."""
    traded = Run.objects.exclude(mode=Mode.BACKTEST).filter(num_fills__gt=0).defer("recipe", "state", "metrics")
    ended = traded.exclude(status__in=ACTIVE).order_by("-ended_at", "-id")[:CLOSED_ACCOUNTS]
    sessions = {run.pk: run for run in [*traded.filter(status__in=ACTIVE), *ended]}
    found = Fill.objects.raw(_LAST_FILLS, [list(sessions), limit, limit])
    return [_of_run(rows.fill_row(fill), sessions[fill.run_id]) for fill in found]


def _of_run(row: Row, run: Run) -> Row:
    return {**row, "run_name": run.name, "kind": kind_of(run)}


def open_kinds() -> dict[str, int]:
    """How many paper and live sessions are under way, by kind."""
    active = Run.objects.filter(status__in=ACTIVE).exclude(mode=Mode.BACKTEST)
    counted = active.order_by().values("mode", "synthetic").annotate(count=Count("id"))
    return {kind_of(Run(mode=one["mode"], synthetic=one["synthetic"])): one["count"] for one in counted}


def portfolio_overview() -> Row:
    """All that the Portfolio page shows, JSON-ready.

    ``accounts`` are the paper and live runs that have not ended, and those that ended since 00:00 UTC (``open`` False,
    the newest 50, without those of drills, which are there to be halted); ``totals`` are their sums by kind, see
    `trading.accounts`. ``pnl_day`` counts from 00:00 UTC of the day that a run has reached in its own time, ``pnl``
    from its start.
    """
    accounts = _accounts(_account_runs())
    return {
        "totals": totals(accounts),
        "accounts": accounts,
        "open_orders": open_orders(),
        "last_fills": last_fills(),
    }


def _account_runs() -> list[Run]:
    traded = Run.objects.exclude(mode=Mode.BACKTEST).exclude(status=RunStatus.BLOCKED).defer("recipe", "metrics")
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    traded = traded.annotate(feed=F("recipe__feed__kwargs"))
    under_way = traded.filter(status__in=ACTIVE).order_by(*NEWEST_RUNS)
    ended = traded.exclude(status__in=ACTIVE).exclude(account=DRILL).filter(ended_at__gte=today)
    ended = ended.order_by("-ended_at", "-id")
    return [*under_way, *ended[:CLOSED_ACCOUNTS]]


def _accounts(found: Sequence[Run]) -> list[Account]:
    latest = frames.latest_equity([one.id for one in found if one.status in ACTIVE])
    known: dict[UUID, Mapping[str, Any]] = {one.id: latest.get(one.id) or one.state for one in found}
    known |= _held([one.id for one in found if one.num_fills and not known[one.id]])
    began = _equity_at_midnight({one.id: event_time(known[one.id]) for one in found})
    return [
        account_of(one, known[one.id], began.get(one.id), open_=one.status in ACTIVE, feed=_feed_of(one))
        for one in found
    ]


def _feed_of(run: Run) -> Mapping[str, Any] | None:
    """The arguments of its feed. Of many runs they are read without the rest of the recipes."""
    if "recipe" in run.get_deferred_fields():
        return run.feed  # type: ignore[attr-defined]
    return (run.recipe.get("feed") or {}).get("kwargs")


def _held(run_ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """What the ledger says of the positions of runs that flush no state, as backtests do."""
    if not run_ids:
        return {}
    held: dict[UUID, Mapping[str, Any]] = {run_id: {"positions": []} for run_id in run_ids}
    for position in Position.objects.filter(run__in=run_ids).exclude(qty=0):
        held[position.run_id]["positions"].append({**rows.position_row(position), "last_price": position.last_price})
    return held


_AT_MIDNIGHT: Final = """
    SELECT asked.run_id, point.equity
      FROM unnest(%s::uuid[], %s::timestamptz[]) AS asked(run_id, midnight)
      JOIN LATERAL (SELECT equity FROM equity_points
                     WHERE run_id = asked.run_id AND time < asked.midnight ORDER BY time DESC LIMIT 1) point ON true
"""


def _equity_at_midnight(reached: Mapping[UUID, datetime | None]) -> dict[UUID, Decimal]:
    """The last equity before the day that each run has reached; a run that began on it has none."""
    days = {
        run_id: time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for run_id, time in reached.items()
        if time is not None
    }
    if not days:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_AT_MIDNIGHT, [list(days), list(days.values())])
        return dict(cursor.fetchall())
