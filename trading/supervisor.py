"""Who notices: runs whose owner was lost, and runs that nobody took."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction

from brokers.sim import SimulatedBrokerage
from trading import dispatch, ledger
from trading.engine.bars import to_nanos
from trading.engine.orders import OPEN_STATUSES, OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.records import Kind, Record
from trading.lease import RENEW_SECONDS
from trading.models import Order, Run, RunStatus
from trading.show import show_of, show_records

log = logging.getLogger(__name__)

#: A queued run that nobody claimed for this long is sent to the queue again, and every so often. A long
#: queue is no reason to hurry: every message that it holds already is a message too many.
UNCLAIMED_SECONDS = 10
RESEND_SECONDS = 120
#: A living owner renews within this time once the database is back, so only who does not is lost.
SECOND_LOOK_SECONDS = 2 * RENEW_SECONDS
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


def supervise() -> None:
    """One round of everything; each part is safe to repeat and to run twice at once."""
    interrupt_lost()
    redispatch_unclaimed()


def interrupt_lost() -> list[UUID]:
    """Mark every run whose lease has expired ``interrupted``; its old owner can append no more."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [OWNED])
        expired = [row[0] for row in cursor.fetchall()]
    if expired:
        # A database that was away, or stood still, has kept every owner from renewing.
        time.sleep(SECOND_LOOK_SECONDS)
    return [run_id for run_id in expired if _interrupt(run_id)]


def _interrupt(run_id: UUID) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FENCE, [run_id, OWNED])
        row = cursor.fetchone()
        if row is None:
            return False
        now = datetime.now(UTC)
        run = Run.objects.get(pk=run_id)
        reason = f"its owner {row[0]} was lost"
        data = {"status": RunStatus.INTERRUPTED.value, "reason": reason, "ended_at": now.isoformat()}
        records = _gone_with_the_owner(run, to_nanos(now))
        records.append(Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data=data))
        ledger.append_now(run_id, records)
    show_records(show_of(run), records)
    log.error("run %s is interrupted: %s", run_id, reason)
    return True


def _gone_with_the_owner(run: Run, now: int) -> list[Record]:
    """The simulated venue lives in its run's process, so an order that was open there is no more.

    What is open at any other venue stays open, and in the ledger, until the venue has been asked.
    """
    if run.venue != SimulatedBrokerage.venue:
        return []
    reason = "the simulated venue was lost with the run's owner"
    still_open = run.orders.filter(status__in=[status.value for status in OPEN_STATUSES]).order_by("seq")
    return [Record(Kind.ORDER_CANCELLED, now, _as_record(order), reason=reason) for order in still_open]


def _as_record(order: Order) -> OrderRecord:
    return OrderRecord(
        id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=Side(order.side),
        qty=order.qty,
        type=OrderType(order.type),
        time_in_force=TimeInForce(order.time_in_force),
        limit_price=order.limit_price,
        created_at=to_nanos(order.created_at),
        signal=order.signal,
        status=OrderStatus(order.status),
        filled_qty=order.filled_qty,
        venue_order_id=order.venue_order_id,
    )


def redispatch_unclaimed() -> list[UUID]:
    """Send queued runs to the queue again; a second delivery loses its claim and does no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCLAIMED, [UNCLAIMED_SECONDS, RESEND_SECONDS])
        unclaimed = [row[0] for row in cursor.fetchall()]
    for run in Run.objects.filter(id__in=unclaimed):
        dispatch.send(run)
    return unclaimed
