"""Who notices: runs whose owner was lost, and runs that nobody took. Each is safe to repeat and to do twice at once."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from brokers.sim import SimulatedBrokerage
from trading import dispatch, ledger
from trading.endings import VENUE_LOST
from trading.engine.bars import to_nanos
from trading.engine.records import Kind, Record
from trading.lease import RENEW_SECONDS
from trading.models import Mode, Run, RunStatus
from trading.restoring import open_orders
from trading.show import show_of, show_records

log = logging.getLogger(__name__)

#: A queued run that nobody claimed for this long is sent to the queue again, and every so often. A long
#: queue is no reason to hurry: every message that it holds already is a message too many.
UNCLAIMED_SECONDS = 10
RESEND_SECONDS = 120
#: A living owner renews within this time once the database is back, so only who does not is lost.
SECOND_LOOK_SECONDS = 2 * RENEW_SECONDS
#: A backtest that has cost so many workers their lives is not given to one more.
BACKTEST_ATTEMPTS = 3
OWNED = [RunStatus.STARTING, RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.DRAINING]

_EXPIRED = "SELECT id FROM runs WHERE status = ANY(%s) AND lease_expires_at < now() ORDER BY id"
_FENCE = """
    UPDATE runs SET fencing_token = fencing_token + 1
     WHERE id = %s AND status = ANY(%s) AND lease_expires_at < now()
 RETURNING owner
"""
_UNCLAIMED = """
    UPDATE runs SET resent_at = now()
     WHERE status = 'queued' AND stop_requested_at IS NULL
       AND created_at < now() - make_interval(secs => %s)
       AND (resent_at IS NULL OR resent_at < now() - make_interval(secs => %s))
 RETURNING id
"""


def take_from_lost() -> list[UUID]:
    """Take every run whose lease has expired from its old owner, who can append no more; those that were taken.

    Sessions become ``interrupted``, backtests are begun again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [OWNED])
        expired = [row[0] for row in cursor.fetchall()]
    if expired:
        # A database that was away, or stood still, has kept every owner from renewing.
        time.sleep(SECOND_LOOK_SECONDS)
    return [run_id for run_id in expired if _take_from_lost(run_id)]


def _take_from_lost(run_id: UUID) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FENCE, [run_id, OWNED])
        row = cursor.fetchone()
        if row is None:
            return False
        now = datetime.now(UTC)
        run = Run.objects.get(pk=run_id)
        data, reason = _what_follows(run, f"its owner {row[0]} was lost")
        if data["status"] != RunStatus.QUEUED:
            data["ended_at"] = now.isoformat()
        records = _gone_with_the_owner(run, to_nanos(now))
        records.append(Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data={**data, "reason": reason}))
        ledger.append_now(run_id, records)
        run.refresh_from_db()
    show_records(show_of(run), records)
    log.error("run %s is %s: %s", run_id, run.status, reason)
    if run.status == RunStatus.QUEUED:
        dispatch.send(run)
    return True


def _what_follows(run: Run, reason: str) -> tuple[dict[str, Any], str]:
    """What becomes of a run whose owner was lost: its status, and why.

    A session cannot know what its venue did meanwhile and is left to a person. A backtest gives the same again and has
    written nothing yet, so that another worker does it from its beginning, unless it loses one worker after the other.
    """
    if run.mode != Mode.BACKTEST:
        return {"status": RunStatus.INTERRUPTED.value}, reason
    if run.stop_requested_at is not None:
        return {"status": RunStatus.STOPPED.value}, f"stopped by an operator; {reason}"
    lost = run.events.filter(kind=Kind.RUN_STATUS, payload__data__has_key="lost").count() + 1
    if lost >= BACKTEST_ATTEMPTS:
        return {"status": RunStatus.FAILED.value}, f"given up: it lost {lost} workers, at last because {reason}"
    return {"status": RunStatus.QUEUED.value, "lost": lost}, f"begun again from its start: {reason}"


def _gone_with_the_owner(run: Run, now: int) -> list[Record]:
    """The simulated venue lives in its run's process, so an order that was open there is no more.

    What is open at any other venue stays open, and in the ledger, until the venue has been asked.
    """
    if run.venue != SimulatedBrokerage.venue:
        return []
    return [Record(Kind.ORDER_CANCELLED, now, order, reason=VENUE_LOST) for order in open_orders(run)]


def redispatch_unclaimed() -> list[UUID]:
    """Send queued runs to the queue again; a second delivery loses its claim and does no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCLAIMED, [UNCLAIMED_SECONDS, RESEND_SECONDS])
        unclaimed = [row[0] for row in cursor.fetchall()]
    for run in Run.objects.filter(id__in=unclaimed):
        dispatch.send(run)
    return unclaimed
