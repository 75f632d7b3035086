"""Who notices: runs whose owner was lost, and runs that nobody took."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction

from trading import dispatch, ledger
from trading.engine.bars import to_nanos
from trading.engine.records import Kind, Record
from trading.models import Run, RunStatus

log = logging.getLogger(__name__)

#: A queued run that nobody claimed for this long is sent to the queue again.
UNCLAIMED_SECONDS = 10
OWNED = [RunStatus.STARTING, RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.DRAINING]

_EXPIRED = "SELECT id FROM runs WHERE status = ANY(%s) AND lease_expires_at < now() ORDER BY id"
_FENCE = """
    UPDATE runs SET fencing_token = fencing_token + 1
     WHERE id = %s AND status = ANY(%s) AND lease_expires_at < now()
 RETURNING owner
"""
_UNCLAIMED = """
    SELECT id FROM runs
     WHERE status = 'queued' AND created_at < now() - make_interval(secs => %s) AND stop_requested_at IS NULL
"""


def supervise() -> None:
    """One round of everything; each part is safe to repeat and to run twice at once."""
    interrupt_lost()
    redispatch_unclaimed()


def interrupt_lost() -> list[UUID]:
    """Mark every run whose lease has expired ``interrupted``; its old owner can append no more."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [OWNED])
        expired = [row[0] for row in cursor.fetchall()]
    return [run_id for run_id in expired if _interrupt(run_id)]


def _interrupt(run_id: UUID) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FENCE, [run_id, OWNED])
        row = cursor.fetchone()
    if row is None:
        return False
    reason = f"its owner {row[0]} was lost"
    data = {"status": RunStatus.INTERRUPTED.value, "reason": reason, "ended_at": datetime.now(UTC).isoformat()}
    ledger.append_now(run_id, [Record(Kind.RUN_STATUS, to_nanos(datetime.now(UTC)), reason=reason, data=data)])
    log.error("run %s is interrupted: %s", run_id, reason)
    return True


def redispatch_unclaimed() -> None:
    """Send queued runs to the queue again; a second delivery loses its claim and does no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCLAIMED, [UNCLAIMED_SECONDS])
        unclaimed = [row[0] for row in cursor.fetchall()]
    for run in Run.objects.filter(id__in=unclaimed):
        dispatch.send(run)
