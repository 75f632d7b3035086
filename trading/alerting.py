"""What runs have to tell: sources of alerts (`risk.alerts`), read from the ledger and its projections."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from risk.alert_models import Severity
from risk.alerts import Notice, following
from risk.alerts.following import Lasting, Look, Table
from trading.engine.records import Kind
from trading.models import LedgerEvent, Mode, Order, RiskEvent, Run, RunStatus

#: So many refusals of a run's orders within a minute are a spike.
REFUSALS: Final = 5
RECENT_SECONDS: Final = 60
#: A cancel that the venue has not confirmed for so long, an order whose fate nobody knows for so long.
UNCONFIRMED_SECONDS: Final = 10.0
#: An exposure that grows within a minute by more than this fraction of the account's equity.
GROWTH: Final = Decimal(1)
#: Runs that ended longer ago were told of, or nobody was listening.
ENDED_WITHIN: Final = timedelta(hours=1)

EXPOSURE_CODES: Final = frozenset({"max_gross_exposure", "max_net_exposure", "max_concentration"})
STALE_CODES: Final = frozenset({"max_feed_silence_seconds", "max_bar_age_seconds"})

# The last events of each open session; those of the last minute that are worth counting.
_RECENT: Final = """
    SELECT runs.id, runs.name, runs.account, last.kind, count(*), (array_agg(last.reason ORDER BY last.seq DESC))[1]
      FROM runs
      JOIN LATERAL (
           SELECT kind, seq, recorded_at, payload ->> 'reason' AS reason
             FROM ledger_events WHERE run_id = runs.id ORDER BY seq DESC LIMIT 200
           ) last ON last.recorded_at > now() - make_interval(secs => %s) AND last.kind = ANY(%s)
     WHERE runs.mode <> 'backtest' AND runs.status IN ('running', 'reducing', 'draining')
  GROUP BY runs.id, runs.name, runs.account, last.kind
"""
_EXPOSURES: Final = """
    SELECT coalesce(nullif(runs.account, ''), runs.id::text),
           sum(abs(positions.cost) * coalesce(positions.last_price / nullif(positions.avg_price, 0), 1))
      FROM runs JOIN positions ON positions.run_id = runs.id
     WHERE runs.mode <> 'backtest' AND runs.status IN ('running', 'reducing', 'draining')
  GROUP BY 1
"""
_EQUITIES: Final = """
    SELECT coalesce(nullif(account, ''), id::text), sum(coalesce((state ->> 'equity')::numeric, starting_cash))
      FROM runs
     WHERE mode <> 'backtest' AND status IN ('running', 'reducing', 'draining')
  GROUP BY 1
"""


def register() -> None:
    """Have `risk.alerts.follow` ask here too."""
    cancels, unknown, exposures = Lasting(), Lasting(), Exposures()
    following.register(Table("risk_events", risk_events, of_risk_event))
    following.register(Look("recent events", recent_events))
    following.register(Look("ended runs", ended_runs))
    following.register(Look("unconfirmed cancels", lambda: stuck_orders("pending_cancel", cancels, time.monotonic())))
    following.register(Look("unknown orders", lambda: stuck_orders("unknown", unknown, time.monotonic())))
    following.register(Look("exposures", lambda: exposures.look(time.monotonic())))


def risk_events() -> QuerySet[RiskEvent]:
    """All of them, each with the kind of the fact that it tells of and what run it is of."""
    fact = LedgerEvent.objects.filter(run=OuterRef("run"), seq=OuterRef("seq")).values("kind")
    return RiskEvent.objects.select_related("run").annotate(fact=Subquery(fact))


def of_risk_event(event: Any) -> Notice | None:
    """A breach is told of; a refused order only where it speaks of exposure: see `recent_events` for many of them."""
    run = event.run
    if run is not None and run.mode == Mode.BACKTEST:
        return None
    name = run.name if run is not None else event.code
    if event.fact in (Kind.RISK_HALTED, Kind.RISK_REDUCING):
        stale = event.code in STALE_CODES
        does = "was halted" if event.fact == Kind.RISK_HALTED else "may only reduce"
        kind, severity = "stale_data" if stale else "halt", Severity.CRITICAL
        subject = f"{name} {does}: {event.code}"
    elif event.code in EXPOSURE_CODES:
        kind, severity = "exposure_spike", Severity.WARNING
        subject = f"{name} was refused an order over its exposure: {event.code}"
    else:
        return None
    return Notice(
        kind=kind,
        subject=subject,
        message=event.message,
        severity=severity,
        run_id=event.run_id,
        account=run.account if run is not None else "",
        dedupe_key=f"{kind}:{event.run_id}:{event.code}",
    )


def recent_events() -> Iterable[Notice]:
    """Runs whose orders are refused one after the other, and runs whose feed has fallen silent."""
    refusals = [Kind.ORDER_REJECTED, Kind.ORDER_DENIED]
    with connection.cursor() as cursor:
        cursor.execute(_RECENT, [RECENT_SECONDS, [*refusals, Kind.FEED_SILENT]])
        found = cursor.fetchall()
    for run_id, name, account, kind, count, reason in found:
        if kind == Kind.FEED_SILENT:
            yield Notice(
                kind="stale_data",
                subject=f"The feed of {name} is silent",
                message=reason or "",
                run_id=run_id,
                account=account,
                dedupe_key=f"stale_data:{run_id}:feed",
            )
        elif count >= REFUSALS:
            who = "the venue" if kind == Kind.ORDER_REJECTED else "the checks before sending"
            yield Notice(
                kind="reject_spike",
                subject=f"{count} orders of {name} were refused by {who} within a minute",
                message=f"The last one: {reason}" if reason else "",
                run_id=run_id,
                account=account,
                dedupe_key=f"reject_spike:{run_id}:{kind}",
            )


def ended_runs() -> Iterable[Notice]:
    """Sessions that lost their worker, told once for all that one worker held, and sessions that failed."""
    since = timezone.now() - ENDED_WITHIN
    ended = Run.objects.filter(ended_at__gt=since).exclude(mode=Mode.BACKTEST).order_by("ended_at")
    lost: dict[str, list[Run]] = {}
    for run in ended.filter(status=RunStatus.INTERRUPTED):
        lost.setdefault(run.reason, []).append(run)
    for reason, runs in lost.items():
        yield Notice(
            kind="lost_worker",
            subject=f"{len(runs)} session{'s' * (len(runs) > 1)} interrupted: {reason}",
            message="\n".join(f"{run.name} {run.pk}" for run in runs[:20]),
            severity=Severity.CRITICAL,
            run_id=runs[0].pk if len(runs) == 1 else None,
            dedupe_key=f"lost_worker:{reason}",
            once=True,
        )
    for run in ended.filter(status=RunStatus.FAILED):
        yield Notice(
            kind="failed_run",
            subject=f"{run.name} failed",
            message=run.reason,
            severity=Severity.CRITICAL,
            run_id=run.pk,
            account=run.account,
            dedupe_key=f"failed_run:{run.pk}",
            once=True,
        )


def stuck_orders(status: str, lasting: Lasting, now: float) -> Iterable[Notice]:
    """A notice for each run with orders that have stayed in ``status`` for `UNCONFIRMED_SECONDS` of this process's
    ``now`` (monotonic); the orders' own times are those of their bars."""
    waiting = Order.objects.filter(status=status).exclude(run__mode=Mode.BACKTEST)
    found = dict(waiting.values_list("id", "run_id"))
    runs: dict[Any, list[str]] = {}
    for order_id in lasting.longer_than(UNCONFIRMED_SECONDS, found, now):
        runs.setdefault(found[order_id], []).append(order_id)
    what = "cancels that no venue has confirmed" if status == "pending_cancel" else "orders whose fate is not known"
    for run in Run.objects.filter(pk__in=runs):
        orders = runs[run.pk]
        yield Notice(
            kind="unconfirmed_cancel" if status == "pending_cancel" else "unknown_order",
            subject=f"{run.name} has {len(orders)} {what} for {UNCONFIRMED_SECONDS:g} s",
            message=", ".join(orders[:20]),
            severity=Severity.CRITICAL,
            run_id=run.pk,
            account=run.account,
            dedupe_key=f"{status}:{run.pk}",
        )


class Exposures:
    """Remembers each account's gross exposure of the last minute, by this process's clock."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, Decimal]]] = {}

    def look(self, now: float) -> list[Notice]:
        with connection.cursor() as cursor:
            cursor.execute(_EXPOSURES)
            gross = dict(cursor.fetchall())
            cursor.execute(_EQUITIES)
            return self.take({name: (gross.get(name) or Decimal(0), equity) for name, equity in cursor}, now)

    def take(self, accounts: dict[str, tuple[Decimal, Decimal]], now: float) -> list[Notice]:
        """What is told when these gross exposures and equities are seen at ``now`` (monotonic seconds)."""
        notices = []
        for name, (gross, equity) in accounts.items():
            seen = [one for one in self._seen.get(name, []) if now - one[0] <= RECENT_SECONDS]
            self._seen[name] = [*seen, (now, gross)]
            growth = gross - min((one[1] for one in seen), default=gross)
            if growth > GROWTH * max(equity, Decimal(0)):
                notices.append(_spike(name, growth, gross, equity))
        self._seen = {name: self._seen[name] for name in accounts}
        return notices


def _spike(name: str, growth: Decimal, gross: Decimal, equity: Decimal) -> Notice:
    return Notice(
        kind="exposure_spike",
        subject=f"The gross exposure of {name} grew by {growth:,.2f} within a minute",
        message=f"It is {gross:,.2f} now, with an equity of {equity:,.2f}.",
        account=name,
        dedupe_key=f"exposure_spike:{name}",
    )
