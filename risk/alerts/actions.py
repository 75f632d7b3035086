"""The verbs of alerts: acknowledge one, try the channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk.alert_models import Alert, AlertDelivery, Severity
from risk.alerts import channels, delivery
from risk.alerts.delivery import Outcome
from risk.alerts.errands import Errands

#: More than a channel's own patience, so that its word is heard.
TEST_SECONDS: Final = 20.0


class NoSuchAlert(LookupError):
    def __init__(self, alert_id: int) -> None:
        super().__init__(f"there is no alert {alert_id}")


class NoSuchChannel(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is no channel {name!r}; there are {', '.join(channels.NEEDS)}")


def acknowledge(alert_id: int, principal: Principal) -> Alert:
    """Say that a person has seen it: nobody is told of it any more until it comes anew. Repeating changes nothing.

    Raises `NoSuchAlert`.
    """
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
        if alert is None:
            raise NoSuchAlert(alert_id)
        if alert.acknowledged_at is None:
            alert.acknowledged_at, alert.acknowledged_by = timezone.now(), principal.name
            alert.save(update_fields=["acknowledged_at", "acknowledged_by"])
            audit.record(principal, "alert.acknowledge", f"alert:{alert_id}", subject=alert.subject)
    return alert


def test(principal: Principal, name: str | None = None) -> list[dict[str, Any]]:
    """Send a test by each channel, or by the one of that name, and say what happened to each.

    Rows of ``channel``, ``ok``, ``detail`` and ``milliseconds`` (None where nothing was sent). What happened is kept as
    an alert that is acknowledged already. Raises `NoSuchChannel`.
    """
    if name is not None and name not in channels.NEEDS:
        raise NoSuchChannel(name)
    wanted = [name] if name else list(channels.NEEDS)
    there = {one: channel for one, channel in channels.configured().items() if one in wanted}
    alert = _test_alert(principal, list(there))
    errands: Errands[Outcome] = Errands()
    letters = [delivery.letter_of(alert)]
    for one, channel in there.items():
        errands.start(one, lambda channel=channel: delivery.sent(channel, letters))  # type: ignore[misc]
    outcomes = {outcome.channel: outcome for outcome in errands.results(TEST_SECONDS)}
    for outcome in outcomes.values():
        delivery.write_down(outcome)
    # Who asked has the answer; a test is not tried again behind their back.
    AlertDelivery.objects.filter(alert=alert).update(due_at=None)
    return [_row(one, one in there, outcomes.get(one)) for one in wanted]


def _test_alert(principal: Principal, names: Sequence[str]) -> Alert:
    with transaction.atomic():
        now = timezone.now()
        alert = Alert.objects.create(
            kind="test",
            severity=Severity.INFO,
            subject="Test of the alert channels",
            message=f"Asked for by {principal.name}. Nothing is wrong.",
            dedupe_key="test",
            gathering=False,
            first_at=now,
            last_at=now,
            acknowledged_at=now,
            acknowledged_by=principal.name,
        )
        AlertDelivery.objects.bulk_create(AlertDelivery(alert=alert, channel=name) for name in names)
        audit.record(principal, "alert.test", f"alert:{alert.pk}", channels=list(names))
    return alert


def _row(name: str, there: bool, outcome: Outcome | None) -> dict[str, Any]:
    if not there:
        detail = f"not configured: set {channels.NEEDS[name]}"
    elif outcome is None:
        detail = f"has not answered within {TEST_SECONDS:g} s"
    else:
        detail = outcome.error or "delivered"
    took = None if outcome is None else outcome.milliseconds
    return {
        "channel": name,
        "ok": outcome is not None and not outcome.error,
        "detail": detail,
        "milliseconds": took,
    }
