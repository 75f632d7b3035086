"""Taking a run over from an owner who does not answer, and writing what became of its orders."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, Sum

from brokers.base import IBrokerage
from brokers.sightings import Sightings, VenueOrder
from trading import ledger
from trading.endings import VENUE_LOST
from trading.engine.bars import price_of, to_nanos
from trading.engine.errors import VenueError
from trading.engine.orders import OrderRecord
from trading.engine.records import Kind, Record, plain
from trading.engine.state import RunState
from trading.engine.updates import OrderUpdate, UpdateKind
from trading.engine.venue_news import VenueNews
from trading.lease import LEASE_SECONDS, Lease, keeper, owner_name
from trading.models import Fill, Run, RunStatus
from trading.reconciling import resolving
from trading.restoring import open_orders, restored
from trading.show import Show
from trading.supervisor import OWNED

log = logging.getLogger(__name__)

#: The code under which a swept run is told of, see `trading.models.RiskEvent`.
SWEPT = "swept"

#: When this process first took each run over that it has not done with, by the monotonic clock.
_taken_at: dict[UUID, float] = {}

# A session whose loop is blocked has a lease that is renewed all the same, so this asks for no expiry. What is another
# guard's is left to it.
_TAKE = """
    UPDATE runs SET owner = %(owner)s, fencing_token = fencing_token + 1,
           lease_expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
     WHERE id = %(run)s AND status = ANY(%(takable)s)
       AND (owner NOT LIKE 'guard %%' OR owner = %(owner)s OR lease_expires_at < clock_timestamp())
 RETURNING fencing_token
"""


def take_over(run_id: UUID, status: str) -> Lease | None:
    """Become the owner of a run that is still in this ``status``; None where it is not, or another guard's.

    From then on its owner can append nothing, and so send nothing.
    """
    asked = time.monotonic()
    parameters = {"owner": f"guard {owner_name()}", "seconds": LEASE_SECONDS, "run": run_id, "takable": [status]}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, parameters)
        row = cursor.fetchone()
    if row is None:
        return None
    _taken_at.setdefault(run_id, time.monotonic())
    lease = Lease(run_id, row[0], asked + LEASE_SECONDS)
    keeper().hold(lease)
    return lease


def book(lease: Lease, venue: IBrokerage | None, reason: str) -> list[str]:
    """Write what the venue says of the run's open orders, and, unless it had ended, end the run as killed. What it
    says is open still is withdrawn once more.

    ``venue`` is None where it is gone with its session. The ids of the orders whose fate the venue does not tell, which
    stay open in the ledger.
    """
    run = Run.objects.get(pk=lease.run_id)
    state = restored(run)
    if venue is not None:
        venue.recall(resolving.recalled(run.pk, list(state.open_orders())))
    news = VenueNews(state)
    for update in list(_updates(run, state, venue)):
        news.take(update)
    in_doubt = [order.id for order in state.open_orders()]
    records = state.records
    # A simulated venue's book cannot be had again once its orders are gone, so nobody resumes that run.
    gone = venue is None and run.status == RunStatus.INTERRUPTED
    if gone or run.status in (*OWNED, RunStatus.QUEUED):
        records.append(_ended(state, reason, in_doubt))
    if records:
        ledger.append_now(run.id, records, token=lease.token)
        Show(run).facts(records)
    if not in_doubt:
        _taken_at.pop(run.pk, None)
    return in_doubt


def unheard(run_id: UUID, venue: IBrokerage) -> set[str]:
    """The venue's ids of linked orders that are open in the ledger without one: their owner was lost before it heard,
    and a venue may list them by names of its own."""
    ids = set()
    for order in open_orders(Run.objects.get(pk=run_id)):
        if order.venue_order_id is None and (order.parent_id or order.group):
            # What the venue does not tell now it is asked again when the run is booked.
            with suppress(VenueError):
                shown = venue.query_order(order)
                ids.update([] if shown is None else [shown.venue_order_id])
    return ids


def _updates(run: Run, state: RunState, venue: IBrokerage | None) -> Iterator[OrderUpdate]:
    sightings = Sightings()
    taken: dict[str, str] = {}
    # The later first: an order that was changed in its place is the one that took it by now.
    for order in reversed(list(state.open_orders())):
        if venue is None:
            yield _cancelled(order, VENUE_LOST)
            continue
        if order.venue_order_id is not None and taken.get(order.id) == order.venue_order_id:
            yield OrderUpdate(UpdateKind.REPLACED, order.client_order_id, to_nanos(datetime.now(UTC)))
            continue
        try:
            shown = venue.query_order(order)
        except VenueError as error:
            log.warning("what became of order %s is not known: %s", order.id, error)
            continue
        if shown is not None:
            if not shown.is_over:
                # A venue's list of what is open need not have all that it tells of when asked by name.
                with suppress(VenueError):
                    venue.withdraw(shown)
            taken[order.replaces] = shown.venue_order_id
            sightings.know(shown.venue_order_id, *_booked(run, order, shown))
            yield from sightings.take(shown, order.client_order_id)
        elif order.venue_order_id is None and not _may_be_on_its_way(run.pk):
            yield _cancelled(order, resolving.NEVER_SHOWN)


def _may_be_on_its_way(run_id: UUID) -> bool:
    """Whether a call that the owner made, until it was taken from, may still bring an order to the venue: how long an
    intent waited for its grant, its turn and the gate, the ledger does not tell."""
    return time.monotonic() - _taken_at[run_id] < resolving.SETTLED_SECONDS


def _booked(run: Run, order: OrderRecord, shown: VenueOrder) -> tuple[Decimal, Decimal, Decimal]:
    """What the ledger has of the fills of a venue's order: how many units, their value at their prices, and their fees.

    Those of an order whose place this one took are among them where it stayed the same one at the venue.
    """
    same = Q(order_id=order.id) | Q(order__venue_order_id=shown.venue_order_id)
    fills = Fill.objects.filter(same, run=run)
    sums = fills.aggregate(units=Sum("qty"), value=Sum(F("qty") * F("price")), fees=Sum("fee"))
    return sums["units"] or Decimal(0), sums["value"] or Decimal(0), sums["fees"] or Decimal(0)


def _cancelled(order: OrderRecord, reason: str) -> OrderUpdate:
    return OrderUpdate(UpdateKind.CANCELLED, order.client_order_id, to_nanos(datetime.now(UTC)), reason=reason)


def _ended(state: RunState, reason: str, in_doubt: list[str]) -> Record:
    now = datetime.now(UTC)
    if in_doubt:
        reason = f"{reason}; not confirmed: {', '.join(in_doubt)}"
    equity = state.portfolio.equity
    data = {
        "status": "killed",
        "code": SWEPT,
        "reason": reason,
        "ended_at": now.isoformat(),
        "cash": plain(state.portfolio.cash),
        "final_equity": plain(equity),
        "total_pnl": plain(equity - state.portfolio.starting_cash),
        "prices": {held.symbol: plain(price_of(held.last)) for held in state.portfolio.held.values()},
    }
    return Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data=data)
