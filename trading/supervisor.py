"""Who notices: runs whose owner was lost, and runs that nobody took. Each is safe to repeat and to do twice at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Max

from risk import kill_switch
from risk.alerts import raise_alert
from trading import dispatch, ledger
from trading.engine.bars import to_nanos
from trading.engine.records import Kind, Record
from trading.lease import RENEW_SECONDS
from trading.models import Mode, Run, RunStatus
from trading.show import Show

log = logging.getLogger(__name__)

#: A queued run that nobody claimed for this long is sent to the queue again, and every so often. A long
#: queue is no reason to hurry: every message that it holds already is a message too many.
UNCLAIMED_SECONDS = 10
RESEND_SECONDS = 120
#: A living owner renews within this time once the database is back, so only who does not is lost.
SECOND_LOOK_SECONDS = 2 * RENEW_SECONDS
#: A backtest that has cost so many workers their lives is not given to one more, nor a session that has come to no new
#: bar meanwhile.
BACKTEST_ATTEMPTS = 3
SESSION_ATTEMPTS = 5
OWNED = [RunStatus.STARTING, RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.DRAINING]

_EXPIRED = "SELECT id FROM runs WHERE status = ANY(%s) AND lease_expires_at < now() ORDER BY id"
_FENCE = """
    UPDATE runs SET fencing_token = fencing_token + 1
     WHERE id = %s AND status = ANY(%s) AND lease_expires_at < now()
 RETURNING owner
"""
# A session that was begun already has to be ended by somebody, also where a stop was asked for.
_UNCLAIMED = """
    UPDATE runs SET resent_at = now()
     WHERE status = 'queued' AND (stop_requested_at IS NULL OR (mode <> 'backtest' AND started_at IS NOT NULL))
       AND created_at < now() - make_interval(secs => %s)
       AND (resent_at IS NULL OR resent_at < now() - make_interval(secs => %s))
 RETURNING id
"""


@dataclass(frozen=True)
class _Next:
    """What becomes of a run whose owner was lost. ``counted`` goes into the fact, for the next time."""

    status: RunStatus
    reason: str
    counted: dict[str, int] = field(default_factory=dict)

    def record(self, now: datetime) -> Record:
        data = {"status": self.status.value, "reason": self.reason, **self.counted}
        if self.status != RunStatus.QUEUED:
            data["ended_at"] = now.isoformat()
        return Record(Kind.RUN_STATUS, to_nanos(now), reason=self.reason, data=data)


def take_from_lost() -> list[UUID]:
    """Take every run whose lease has expired from its old owner, who can append no more; those that were taken.

    Each is queued again, where it may go on: a session by recovery, a backtest from its beginning.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [OWNED])
        expired = [row[0] for row in cursor.fetchall()]
    if expired:
        # A database that was away, or stood still, has kept every owner from renewing.
        time.sleep(SECOND_LOOK_SECONDS)
    taken = [run for run_id in expired if (run := _take_from_lost(run_id))]
    for run in taken:
        log.error("run %s is %s: %s", run.id, run.status, run.reason)
        if run.status == RunStatus.QUEUED:
            dispatch.send(run)
    _tell([run for run in taken if run.status == RunStatus.QUEUED and run.mode != Mode.BACKTEST])
    return [run.id for run in taken]


def _take_from_lost(run_id: UUID) -> Run | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FENCE, [run_id, OWNED])
        row = cursor.fetchone()
        if row is None:
            return None
        now = datetime.now(UTC)
        run = Run.objects.get(pk=run_id)
        records = [one.record(now) for one in _what_follows(run, f"its owner {row[0]} was lost")]
        ledger.append_now(run_id, records)
        run.refresh_from_db()
    # A run that goes on at once has not ended for those who watch it.
    Show(run).facts(records[-1:])
    return run


def _what_follows(run: Run, lost: str) -> list[_Next]:
    if run.mode == Mode.BACKTEST:
        return [_backtest_after(run, lost)]
    return [_Next(RunStatus.INTERRUPTED, lost), *_session_after(run, lost)]


def _session_after(run: Run, lost: str) -> list[_Next]:
    """A session goes on by recovery, unless a kill is engaged, or it costs one worker after the other and comes no
    further. One that is to stop goes on too: it ends as stopped once it knows what became of its orders."""
    if kill_switch.is_engaged():
        return []
    bars = run.bars.aggregate(seen=Max(F("first") + F("count")))["seen"] or 0
    before = run.events.filter(kind=Kind.RUN_STATUS, payload__data__has_key="lost").order_by("-seq").first()
    counted = before.payload["data"] if before else {}
    times = counted["lost"] + 1 if counted.get("num_bars") == bars else 1
    counted = {"lost": times, "num_bars": bars}
    if times >= SESSION_ATTEMPTS:
        reason = f"not resumed: it lost {times} owners without a new bar, at last because {lost}"
        return [_Next(RunStatus.INTERRUPTED, reason, counted)]
    return [_Next(RunStatus.QUEUED, f"resumes after {lost}", counted)]


def _backtest_after(run: Run, lost: str) -> _Next:
    """A backtest gives the same again and has written nothing yet."""
    if run.stop_requested_at is not None:
        return _Next(RunStatus.STOPPED, f"stopped by an operator; {lost}")
    times = run.events.filter(kind=Kind.RUN_STATUS, payload__data__has_key="lost").count() + 1
    if times >= BACKTEST_ATTEMPTS:
        return _Next(RunStatus.FAILED, f"given up: it lost {times} workers, at last because {lost}")
    return _Next(RunStatus.QUEUED, f"begun again from its start: {lost}", {"lost": times})


def _tell(resumed: Sequence[Run]) -> None:
    if resumed:
        count = f"{len(resumed)} session{'s' * (len(resumed) > 1)}"
        lines = "\n".join(f"{run.name} {run.id}: {run.reason}" for run in resumed[:20])
        raise_alert("lost_worker", f"{count} lost their worker and resume", lines, "critical")


def call_again(run_id: UUID | None = None, reason: str = "") -> None:
    """Have a queued run, or all of them, sent again at the next look; with ``reason``, say why it waits."""
    with transaction.atomic():
        waiting = Run.objects.select_for_update().filter(status=RunStatus.QUEUED)
        if run_id is not None:
            waiting = waiting.filter(pk=run_id)
        for run in waiting if reason else ():
            if run.reason != reason:
                ledger.append_now(run.id, [_Next(RunStatus.QUEUED, reason).record(datetime.now(UTC))])
        waiting.update(resent_at=None)


def redispatch_unclaimed() -> list[UUID]:
    """Send queued runs to the queue again; a second delivery loses its claim and does no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCLAIMED, [UNCLAIMED_SECONDS, RESEND_SECONDS])
        unclaimed = [row[0] for row in cursor.fetchall()]
    for run in Run.objects.filter(id__in=unclaimed):
        dispatch.send(run)
    return unclaimed
