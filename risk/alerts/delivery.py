"""From rows to people. What is due is claimed, sent by a thread of its channel, and written down.

A claim is a time until which nobody else tries, so a process that dies while it sends costs a repetition, never an
alert; the pauses between attempts are kept in the database and outlive it too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from risk.alert_models import Alert, AlertDelivery
from risk.alerts import channels
from risk.alerts.channels import Channel, Letter, NotDelivered
from risk.alerts.errands import Errands

log = logging.getLogger(__name__)

#: An alert that goes on is told again no sooner than this after the last time.
REPEAT: Final = timedelta(minutes=15)
#: What nobody could be told of within this time is told no more; it stays on the page.
GIVE_UP: Final = timedelta(days=1)
CLAIM: Final = timedelta(minutes=5)
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(minutes=30)
LETTERS: Final = 50


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message: ``error`` is empty when it was taken. ``told`` maps alert ids to counts."""

    channel: str
    told: dict[int, int]
    error: str = ""
    milliseconds: float = 0.0


_errands: Errands[Outcome] = Errands()
#: What was sent and is not written down yet, kept while the database is away.
_outcomes: list[Outcome] = []


def deliver_due(patience: float = 0.0) -> int:
    """One round: write down what was sent since the last, and start what is due. Waits ``patience`` seconds at most.

    Answers how many messages were taken. A channel that hangs is left alone until it is done, and holds up no other.
    """
    taken = _settle(0.0)
    for channel in channels.configured().values():
        if not _errands.busy(channel.name) and (letters := _claimed(channel.name)):
            _errands.start(channel.name, lambda channel=channel, letters=letters: sent(channel, letters))  # type: ignore[misc]
    return taken + (_settle(patience) if patience else 0)


def sent(channel: Channel, letters: Sequence[Letter]) -> Outcome:
    """Try once; never raises."""
    begun = time.perf_counter()
    error = ""
    try:
        channel.send(letters)
    except NotDelivered as refusal:
        error = str(refusal)
    except Exception as failure:
        error = f"failed ({type(failure).__name__})"
    if error:
        log.warning("alerts are not delivered by %s: %s", channel.name, error)
    spent = round((time.perf_counter() - begun) * 1000, 1)
    told = {letter.id: letter.count for letter in letters}
    return Outcome(channel=channel.name, told=told, error=error, milliseconds=spent)


def letter_of(alert: Alert) -> Letter:
    return Letter(**{name: getattr(alert, name) for name in Letter.__struct_fields__})


def pause_after(attempts: int) -> timedelta:
    """Before the next attempt, after so many that failed: three times as long each time, half an hour at most."""
    times: int = 3 ** min(attempts - 1, 10)
    return min(FIRST_PAUSE * times, LONGEST_PAUSE)


def write_down(outcome: Outcome) -> None:
    """Keep what became of a message, for each alert in it."""
    now = timezone.now()
    with transaction.atomic():
        rows = AlertDelivery.objects.select_for_update().filter(channel=outcome.channel, alert__in=outcome.told)
        for row in rows.select_related("alert"):
            row.attempts += 1
            if outcome.error:
                row.failed_at, row.error = now, outcome.error
                row.due_at = now + pause_after(row.attempts) if row.alert.last_at > now - GIVE_UP else None
            else:
                row.delivered_at, row.told = now, outcome.told[row.alert_id]
                row.attempts, row.due_at = 0, None
            row.save()


def _settle(patience: float) -> int:
    _outcomes.extend(_errands.results(patience))
    taken = 0
    while _outcomes:
        write_down(_outcomes[0])
        taken += not _outcomes.pop(0).error
    return taken


def _claimed(channel: str) -> list[Letter]:
    now = timezone.now()
    with transaction.atomic():
        _make_due(channel, now)
        due = AlertDelivery.objects.filter(channel=channel, due_at__lte=now).order_by("alert_id")
        rows = list(due.select_for_update(of=("self",), skip_locked=True).select_related("alert")[:LETTERS])
        AlertDelivery.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + CLAIM)
    return [letter_of(row.alert) for row in rows]


def _make_due(channel: str, now: datetime) -> None:
    """Rows for alerts that this channel has not heard of, and again for those that went on since it did."""
    wanted = Alert.objects.filter(last_at__gt=now - GIVE_UP, acknowledged_at=None)
    unheard = wanted.exclude(deliveries__channel=channel)
    rows = [AlertDelivery(alert=alert, channel=channel, due_at=now) for alert in unheard[:LETTERS]]
    AlertDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    went_on = Q(alert__in=wanted, alert__count__gt=F("told"))
    AlertDelivery.objects.filter(went_on, channel=channel, due_at=None, delivered_at__lte=now - REPEAT).update(
        due_at=now
    )
    # A person who has seen it need not be told any more.
    AlertDelivery.objects.filter(channel=channel, due_at__lte=now).exclude(alert__acknowledged_at=None).update(
        due_at=None
    )
