"""What the Risk page, and `GET /risk`, know. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from risk.drill_models import ACCOUNT as DRILL
from risk.models import KillEvent
from trading import frames
from trading.accounts import kind_of
from trading.engine.records import plain
from trading.models import Mode, RiskEvent, Run
from trading.pages import page
from trading.queries import ACTIVE
from trading.rows import moment

Row = dict[str, Any]

NEWEST_EVENTS: Final = ["-id"]
#: Rows that the overview shows of what may be many.
EVENTS: Final = 25
#: Events that are looked at for them.
RECENT: Final = 1000
KILLS: Final = 10
HEADROOM: Final = 40


def overview() -> Row:
    """All that the Risk page shows of runs, JSON-ready.

    ``headroom`` has one row per limit of a run that is under way, the nearest to its limit first; ``held_back`` are the
    runs that may only reduce, or whose strategy is switched off.
    """
    sessions = [_session(run, known) for run, known in _known()]
    limits = [row for session in sessions for row in session.pop("headroom")]
    limits.sort(key=lambda row: row["fraction"], reverse=True)
    return {
        "sessions": sessions,
        "held_back": [session for session in sessions if session["risk_mode"] != "normal"],
        "headroom": limits[:HEADROOM],
        "limits": len(limits),
        "unlimited": [session for session in sessions if not session["limited"]],
        "events": recent(),
        "kills": kills(),
    }


def of_run(run: Run) -> Row:
    """One run as its row in `overview`, with its ``headroom``."""
    known = frames.latest_equity([run.id]) if run.status in ACTIVE else {}
    return _session(run, known.get(run.id) or run.state)


def _known() -> list[tuple[Run, Mapping[str, Any]]]:
    """Sessions under way with the latest that they told of themselves."""
    runs = list(Run.objects.filter(status__in=ACTIVE).exclude(mode=Mode.BACKTEST).order_by("name", "created_at"))
    latest = frames.latest_equity([run.id for run in runs])
    return [(run, latest.get(run.id) or run.state) for run in runs]


def _session(run: Run, known: Mapping[str, Any]) -> Row:
    risk = known.get("risk") or run.state.get("risk") or {}
    named = {"run_id": str(run.id), "name": run.name, "account": run.account, "kind": kind_of(run)}
    headroom = [{**named, **_headroom(one)} for one in risk.get("headroom", ())]
    return {
        **named,
        "status": run.status,
        "risk_mode": risk.get("mode", "normal"),
        "why": risk.get("why", ""),
        "as_of": known.get("emitted_at"),
        "limited": bool(headroom),
        "headroom": headroom,
    }


def _headroom(one: Mapping[str, Any]) -> Row:
    used, limit = _figure(one["used"]), _figure(one["limit"])
    return {
        "code": one["code"],
        "symbol": one.get("symbol"),
        "unit": one.get("unit", ""),
        "used": plain(used),
        "limit": plain(limit),
        "fraction": float(used / limit) if limit else 1.0,
    }


def _figure(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)


def events(code: str = "", run_id: str = "", cursor: str | None = None, limit: int = EVENTS) -> Row:
    """A page of risk events of paper and live runs, newest first. Raises `InvalidValue` for a cursor that is none."""
    found: QuerySet[RiskEvent] = RiskEvent.objects.exclude(run__mode=Mode.BACKTEST).select_related("run")
    if code:
        found = found.filter(code=code)
    if run_id:
        found = found.filter(run_id=run_id)
    return page(found, NEWEST_EVENTS, cursor, limit, event_row)


def recent() -> list[Row]:
    """What happened lately, newest first: of what came again and again in one run the last event alone, with how often
    as ``times`` among the last `RECENT` events. Sessions of drills are there to be halted."""
    found = RiskEvent.objects.exclude(run__mode=Mode.BACKTEST).exclude(run__account=DRILL).order_by("-id")
    newest: dict[tuple[Any, str], int] = {}
    times: dict[int, int] = {}
    for pk, run_id, code in found.values_list("id", "run_id", "code")[:RECENT]:
        first = newest.setdefault((run_id, code), pk)
        times[first] = times.get(first, 0) + 1
    shown = RiskEvent.objects.filter(pk__in=list(times)[:EVENTS]).select_related("run").order_by("-id")
    return [{**event_row(event), "times": times[event.pk]} for event in shown]


#: One step along the index for each code, where DISTINCT would read every event.
_CODES: Final = """
    WITH RECURSIVE known (code) AS (
        (SELECT code FROM risk_events ORDER BY code LIMIT 1)
        UNION ALL
        SELECT (SELECT code FROM risk_events WHERE code > known.code ORDER BY code LIMIT 1)
          FROM known WHERE known.code IS NOT NULL
    )
    SELECT code FROM known WHERE code IS NOT NULL
"""


def codes() -> list[str]:
    """The codes that risk events have had."""
    with connection.cursor() as cursor:
        cursor.execute(_CODES)
        return [code for (code,) in cursor.fetchall()]


def event_row(event: RiskEvent) -> Row:
    run = event.run
    return {
        "id": event.id,
        "run_id": None if run is None else str(run.id),
        "run_name": None if run is None else run.name,
        "code": event.code,
        "message": event.message.removeprefix(f"{event.code}: "),
        "figure": None if event.figure is None else plain(event.figure),
        "limit": None if event.limit is None else plain(event.limit),
        "created_at": moment(event.created_at),
    }


def kills() -> list[Row]:
    """The last engagements of the kill switch with their measured figures, newest first."""
    found = KillEvent.objects.filter(action=KillEvent.Action.ENGAGED)[:KILLS]
    return [
        {
            "epoch": event.epoch,
            "reason": event.reason,
            "actor": event.actor,
            "at": moment(event.at),
            "measured": event.measured,
        }
        for event in found
    ]
