"""Drills: a few sessions on the simulated venue, started to be halted, so that stopping is known to work.

They share an account of their own, and what halts them is a halt of that account: the way is that of every halt and
kill, and no other session hears of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk import actions as halts
from risk import kill_switch
from risk.drill_models import ACCOUNT, Drill
from risk.halts import Scope
from trading import actions
from trading.engine.errors import InvalidValue, TradingError
from trading.models import Run
from trading.rows import moment

log = logging.getLogger(__name__)

SESSIONS: Final = 3
MOST_SESSIONS: Final = 50
REASON: Final = "drill"
#: Halted by nobody, sessions would end by themselves after so many bars, of a second each.
_BARS: Final = 120
_LEVELS: Final = 5
_UNIVERSE: Final = ("SPY", "BAC")
START_SECONDS: Final = 30.0
HALT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02

_RESTING: Final = "SELECT count(*) FROM orders WHERE status = 'accepted' AND run_id = ANY(%s)"
# When the ledger got the last cancel that was sent, the last that was confirmed, and the last end of a run.
_LAST: Final = """
    SELECT max(recorded_at) FILTER (WHERE kind IN ('order.pending_cancel', 'order.cancelled')),
           max(recorded_at) FILTER (WHERE kind = 'order.cancelled'),
           max(recorded_at) FILTER (WHERE kind = 'run.status')
      FROM ledger_events WHERE run_id = ANY(%s)
"""


class DrillUnderWay(TradingError):
    """One drill at a time."""


def recipe() -> dict[str, Any]:
    """Orders far below the market, which rest until they are cancelled."""
    return {
        "name": ACCOUNT,
        "universe": list(_UNIVERSE),
        "strategy": {
            "class": "LimitLadderStrategy",
            "kwargs": {"levels": _LEVELS, "step_bps": 300, "quantity": 1},
        },
        "feed": {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Sec", "pace": "1x", "bars": _BARS}},
        "brokerage": {"class": "SimulatedBrokerage"},
        "risk": {},
        "session": {
            "model_urn": "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1",
            "pipeline_urn": "urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop",
        },
    }


def run_drill(principal: Principal, sessions: int = SESSIONS) -> Drill:
    """Start the sessions, halt them once their orders rest, and keep the figures; what goes wrong is kept with them.

    Raises `InvalidValue` for the number of sessions, and `DrillUnderWay`.
    """
    if not 1 <= sessions <= MOST_SESSIONS:
        raise InvalidValue(f"sessions must be 1 to {MOST_SESSIONS}, not {sessions}")
    drill = _begin(principal, sessions)
    runs: list[Run] = []
    try:
        runs += [_start(principal) for _ in range(sessions)]
        _halt(drill, runs, principal)
    except Exception as error:
        log.exception("the drill failed")
        drill.detail = str(error) or type(error).__name__
    finally:
        for run in runs:
            with suppress(TradingError):
                actions.stop(run, principal=principal)
        drill.ended_at = timezone.now()
        drill.save()
    return drill


@transaction.atomic
def _begin(principal: Principal, sessions: int) -> Drill:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('alphaswarm drill'))")
    now = timezone.now()
    patience = timedelta(seconds=2 * (START_SECONDS + HALT_SECONDS))
    if Drill.objects.filter(ended_at=None, started_at__gt=now - patience).exists():
        raise DrillUnderWay("a drill is under way; wait until it has ended")
    drill = Drill.objects.create(by=principal.name, started_at=now, sessions=sessions)
    audit.record(principal, "drill.run", f"drill:{drill.pk}", sessions=sessions)
    return drill


@transaction.atomic
def _start(principal: Principal) -> Run:
    run = actions.start_paper(recipe(), principal=principal)
    # Before a worker hears of it, which is with the commit.
    Run.objects.filter(pk=run.pk).update(account=ACCOUNT)
    return run


def _halt(drill: Drill, runs: list[Run], principal: Principal) -> None:
    ids = [run.pk for run in runs]
    expected = len(runs) * _LEVELS * len(_UNIVERSE)
    if not _eventually(lambda: _resting(ids) == expected, START_SECONDS):
        raise TradingError(
            f"{_resting(ids)} of {expected} orders rest after {START_SECONDS:g} s: are the workers busy?"
        )
    drill.orders = expected
    called_at = timezone.now()
    report = halts.halt_scope(Scope.ACCOUNT, ACCOUNT, REASON, principal, wait=HALT_SECONDS)
    try:
        drill.gate_closed_ms = report.gate_closed_ms
        drill.confirmed = report.gate_closed_ms is not None and all(row.confirmed for row in report.rows)
        if drill.confirmed:
            figures = (_since(called_at, at) for at in _last(ids))
            drill.cancels_sent_ms, drill.open_orders_zero_ms, drill.sessions_ended_ms = figures
        else:
            drill.detail = "; ".join(row.detail for row in report.rows if row.detail) or "the gate has not closed"
    finally:
        halts.release_halt(report.halting.halt.pk, "the drill is over", principal)


def _resting(ids: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_RESTING, [ids])
        return int(cursor.fetchone()[0])


def _last(ids: list[Any]) -> tuple[datetime, datetime, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [ids])
        cancelled, confirmed, ended = cursor.fetchone()
        return cancelled, confirmed, ended


def _since(called_at: datetime, at: datetime) -> float:
    return round((at - called_at).total_seconds() * 1000, 1)


def _eventually(condition: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_SECONDS)
    return True


class Schedule:
    """Has a drill run every so often: `due` is asked again and again. The first comes one interval after it is made."""

    def __init__(self) -> None:
        self._since = timezone.now()

    def due(self) -> None:
        hours = settings.DRILL_HOURS
        last = Drill.objects.order_by("-started_at").values_list("started_at", flat=True).first()
        is_due = hours > 0 and timezone.now() - (last or self._since) >= timedelta(hours=hours)
        if is_due and not kill_switch.is_engaged():
            run_drill(Principal("schedule", "cli", frozenset({"trade", "halt", "admin"}), id="guard:schedule"))


def row_of(drill: Drill) -> dict[str, Any]:
    """A drill as the API and the command line answer it."""
    figures = ("gate_closed_ms", "cancels_sent_ms", "open_orders_zero_ms", "sessions_ended_ms")
    return {
        "id": drill.pk,
        "by": drill.by,
        "started_at": moment(drill.started_at),
        "ended_at": moment(drill.ended_at),
        "sessions": drill.sessions,
        "orders": drill.orders,
        **{name: getattr(drill, name) for name in figures},
        "confirmed": drill.confirmed,
        "detail": drill.detail,
    }


def last_drills(limit: int = 50) -> list[Drill]:
    """Newest first."""
    return list(Drill.objects.order_by("-id")[:limit])
