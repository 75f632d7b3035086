"""What the kill switch, halts and breakers have to tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.utils import timezone

from risk import kill_switch, runtimes
from risk.alert_models import Severity
from risk.alerts.following import Look, Table
from risk.alerts.notices import Notice
from risk.drill_models import ACCOUNT, Drill
from risk.halts import Scope
from risk.models import Account, KillEvent, RiskHalt

#: A kill has this long to close every order before that is worth an alert.
CLOSING_SECONDS: Final = 5.0
#: A drill that failed longer ago was told of.
DRILLED_WITHIN: Final = timedelta(hours=1)


def of_kill(event: KillEvent) -> Notice:
    engaged = event.action == KillEvent.Action.ENGAGED
    return Notice(
        kind="kill",
        subject=f"Kill switch {event.action} by {event.actor}",
        message=f"Epoch {event.epoch}: {event.reason}",
        severity=Severity.CRITICAL if engaged else Severity.WARNING,
        dedupe_key=f"kill:{event.epoch}:{event.action}",
    )


def open_after_kill() -> list[Notice]:
    """A notice for each runtime that still has orders open although the switch is engaged."""
    state = kill_switch.state()
    if not state.engaged or state.engaged_at is None:
        return []
    seconds = (timezone.now() - state.engaged_at).total_seconds()
    if seconds < CLOSING_SECONDS:
        return []
    return [
        Notice(
            kind="unconfirmed_cancel",
            subject=f"{progress.open_orders} orders are still open {seconds:.0f} s after the kill",
            message=f"Runtime {runtime.name}, epoch {state.epoch}. Open: {', '.join(progress.detail)}",
            severity=Severity.CRITICAL,
            dedupe_key=f"open after kill:{runtime.name}:{state.epoch}",
        )
        for runtime in runtimes.registered()
        if (progress := runtime.progress(state.epoch)).open_orders
    ]


def of_halt(halt: RiskHalt) -> Notice | None:
    """Every halt but that of a drill, which is nobody's concern unless it fails."""
    if (halt.scope, halt.target) == (Scope.ACCOUNT, ACCOUNT):
        return None
    return Notice(
        kind="halt",
        subject=f"{halt.scope.capitalize()} {halt.target} was halted by {halt.by}",
        message=halt.reason,
        severity=Severity.WARNING,
        dedupe_key=f"halt:{halt.scope}:{halt.target}",
    )


def failed_drills() -> Iterator[Notice]:
    """A notice for each drill that could not show that everything stopped."""
    since = timezone.now() - DRILLED_WITHIN
    for drill in Drill.objects.filter(ended_at__gt=since, confirmed=False):
        yield Notice(
            kind="drill",
            subject="A drill of the halt failed",
            message=f"Begun {drill.started_at:%Y-%m-%d %H:%M:%S} UTC by {drill.by}: {drill.detail}",
            severity=Severity.CRITICAL,
            dedupe_key=f"drill:{drill.pk}",
            once=True,
        )


def open_breakers() -> list[Notice]:
    """A notice for each account whose venue is not sent anything new."""
    return [
        Notice(
            kind="venue_outage",
            subject=f"The breaker of {account.name} is open: nothing new is sent to its venue",
            message=account.breaker_reason,
            severity=Severity.CRITICAL,
            account=account.name,
            dedupe_key=f"breaker:{account.name}:{account.trips}",
        )
        for account in Account.objects.filter(breaker_open=True)
    ]


SOURCES: Final = (
    Table("kill_events", KillEvent.objects.all, of_kill),
    Table("risk_halts", RiskHalt.objects.all, of_halt),
    Look("open orders after a kill", open_after_kill),
    Look("open breakers", open_breakers),
    Look("failed drills", failed_drills),
)
