"""How the stack is: what must be there, its processes, queues, feeds and servers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import redis
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from alphaswarm_site import health, heartbeat
from risk.queries import gate_reading
from trading import frames, releases
from trading.accounts import kind_of
from trading.guard.drills import last_drills
from trading.models import Mode, Run, RunStatus

log = logging.getLogger(__name__)

Row = dict[str, Any]

#: What speaks for itself beside the workers, and what is not done while it is silent.
_KEEPERS: Final = {
    "beat": "Nobody tells the workers to look after lost runs, idle sweeps and anchors.",
    "guard": "Nobody takes over lost runs, withdraws stray orders or sends alerts.",
}
#: What helps where a part is not there.
_ADVICE: Final = {
    "database": "`alphaswarm restart` starts PostgreSQL again; no order leaves meanwhile.",
    "migrations": "`alphaswarm migrate`, then `alphaswarm restart`.",
    "redis": "`alphaswarm restart` starts Redis again; no run is lost by it.",
    "gatekeeper": "`alphaswarm restart`: until it writes again, no order leaves.",
    "workers": "`alphaswarm restart`: queued runs wait, and lost ones are taken up again.",
    "versions": "`alphaswarm restart` makes all processes one version; sessions go on where they were.",
}
_UNDER_WAY: Final = (RunStatus.STARTING, RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.DRAINING)
_MOST_FEEDS: Final = 50
_DATABASE: Final = """
    SELECT pg_database_size(current_database()), current_setting('server_version'),
           current_setting('max_connections')::int,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           (SELECT extract(epoch FROM now() - min(xact_start)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()),
           now() - pg_postmaster_start_time()
"""
#: As many as the planner believes, so that it costs the same however many there are.
_ROWS: Final = "SELECT relname, reltuples::bigint FROM pg_class WHERE oid = ANY(%s::regclass[]) ORDER BY relname"
_TABLES: Final = ["runs", "orders", "fills", "ledger_events", "run_bars", "equity_points"]


def overview() -> Row:
    """Everything that the page shows; a source that does not answer is None."""
    parts = [
        {"name": name, **part, "advice": "" if part["ok"] else _ADVICE[name]} for name, part in health.parts().items()
    ]
    return {
        "parts": parts,
        "ready": all(part["ok"] for part in parts),
        "version": {"declared": _asked(releases.declared), "here": settings.PROGRAM_VERSION},
        "gate_ms": _gate_ms(),
        "processes": _asked(_processes),
        "queues": _asked(_queues),
        "feeds": _asked(_feeds),
        "database": _asked(_database),
        "redis": _asked(_redis),
        "drill": next(iter(_asked(lambda: last_drills(1)) or []), None),
        "looked_at": timezone.now(),
    }


def _asked(source: Callable[[], Any]) -> Any:
    try:
        return source()
    except (Error, redis.RedisError) as error:
        log.warning("%s cannot be shown: %s", source.__name__, error)
        return None


def _gate_ms() -> float | None:
    age = gate_reading().age_ms
    return age if math.isfinite(age) else None


def _processes() -> list[Row]:
    """The processes that speak, and those that should and do not."""
    with heartbeat.client() as server:
        living = heartbeat.living(server)
    wanted = releases.declared() or settings.PROGRAM_VERSION
    found = [
        {
            "name": one.name,
            "pid": one.pid,
            "queues": ", ".join(one.queues),
            "version": one.version,
            "says": "" if one.version == wanted else "Of another version: it owns no run.",
        }
        for one in living
    ]
    speaking = {one.name.partition("@")[0] for one in living}
    silent = [
        {"name": name, "pid": None, "queues": "", "version": "", "says": f"Silent. {without}"}
        for name, without in _KEEPERS.items()
        if name not in speaking
    ]
    return [*found, *silent]


def _queues() -> list[Row]:
    with heartbeat.client() as server:
        alive = heartbeat.living_queues(server)
        return [{"name": name, "waiting": server.llen(name), "heard": heard} for name, heard in alive.items()]


def _feeds() -> list[Row]:
    """The feeds of the sessions under way, the one that has been silent longest first."""
    sessions = Run.objects.filter(status__in=_UNDER_WAY).exclude(mode=Mode.BACKTEST).order_by("-created_at", "-id")
    runs = list(sessions.defer("metrics", "state")[:_MOST_FEEDS])
    latest = frames.latest_equity([run.id for run in runs])
    rows = [
        {
            "run_id": str(run.id),
            "name": run.name,
            "kind": kind_of(run),
            "feed": (run.recipe.get("feed") or {}).get("class", ""),
            "heard_at": latest.get(run.id, {}).get("emitted_at"),
            "reached": latest.get(run.id, {}).get("timestamp"),
        }
        for run in runs
    ]
    return sorted(rows, key=lambda row: row["heard_at"] or "")


def _database() -> Row:
    with connection.cursor() as cursor:
        cursor.execute(_DATABASE)
        size, version, most, used, longest, up = cursor.fetchone()
        cursor.execute(_ROWS, [_TABLES])
        rows = [{"name": name, "count": max(0, count)} for name, count in cursor.fetchall()]
    began = timezone.now() - up
    return {
        "size": size,
        "version": version,
        "most": most,
        "used": used,
        "longest": longest or 0,
        "since": began,
        "rows": rows,
    }


def _redis() -> Row:
    with heartbeat.client() as server:
        info: Any = server.info()
    return {
        "version": info["redis_version"],
        "memory": info["used_memory"],
        "clients": info["connected_clients"],
        "per_second": info["instantaneous_ops_per_sec"],
        "keys": sum(one["keys"] for name, one in info.items() if name.startswith("db") and isinstance(one, dict)),
        "since": timezone.now() - timedelta(seconds=info["uptime_in_seconds"]),
    }
