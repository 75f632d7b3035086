"""From notices to rows."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from access.principals import Principal
from risk.alert_models import Alert
from risk.alerts import Notice, actions, notices, raise_alert, raising
from risk.alerts.notices import WINDOW, record

OUTAGE = Notice(kind="venue_outage", subject="The venue is down", account="alpaca-paper")

#: Minutes to the next notice, which of three keys it has, and whether a person has acknowledged all before it.
histories = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 2), st.booleans()), max_size=30)


class Clock:
    def __init__(self) -> None:
        self.now_ = timezone.now()

    def now(self):
        return self.now_


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(histories)
def test_every_notice_is_counted_in_one_alert_and_quiet_begins_a_new_one(history):
    Alert.objects.all().delete()
    clock, last, expected = Clock(), {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notices, "timezone", clock)
        for minutes, number, seen in history:
            clock.now_ += timedelta(minutes=minutes)
            if seen:
                Alert.objects.update(acknowledged_at=clock.now_)
            key = f"key {number}"
            record(Notice(kind="halt", subject="again", dedupe_key=key))
            counts = expected.setdefault(key, [])
            if key in last and clock.now_ - last[key] <= WINDOW:
                counts[-1] += 1
            else:
                counts.append(1)
            last[key] = clock.now_
    found: dict[str, list[int]] = {}
    for alert in Alert.objects.order_by("pk"):
        found.setdefault(alert.dedupe_key, []).append(alert.count)
        assert alert.last_at >= alert.first_at
    assert found == expected


@pytest.mark.django_db
def test_what_is_told_once_is_never_told_again():
    notice = Notice(kind="lost_worker", subject="gone", dedupe_key="gone", once=True)
    assert record(notice) is not None
    Alert.objects.update(gathering=False)
    assert record(notice) is None
    assert Alert.objects.get().count == 1


@pytest.mark.django_db
def test_any_text_can_be_told():
    record(Notice(kind="k" * 99, subject="two\nlines\0 \ud800" + "s" * 500, message="\0", dedupe_key="x" * 900))
    record(Notice(kind="k" * 99, subject="again", dedupe_key="x" * 900))
    record(Notice(kind="k" * 99, subject="another", dedupe_key="x" * 899 + "y"))
    first, other = Alert.objects.order_by("pk")
    assert (first.count, other.count) == (2, 1)
    assert "\n" not in first.subject


@pytest.mark.django_db
def test_two_runs_have_alerts_of_their_own():
    for run_id in (uuid4(), uuid4()):
        record(Notice(kind="halt", subject="halted", run_id=run_id))
    assert Alert.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_counted_without_loss():
    def tell():
        for _ in range(10):
            record(OUTAGE)
        connection.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Alert.objects.get().count == 40


@pytest.mark.django_db(transaction=True)
def test_an_alert_raised_while_the_database_is_away_is_written_when_it_is_back(monkeypatch):
    away = threading.Event()
    away.set()
    tried = threading.Event()

    def spoiled(notice):
        if away.is_set():
            tried.set()
            raise OperationalError("away")
        return record(notice)

    monkeypatch.setattr(raising, "record", spoiled)
    monkeypatch.setattr(raising, "RETRY_SECONDS", (0.01, 0.02))
    raise_alert("venue_outage", "The venue is down", severity="critical", account="alpaca-paper")
    assert tried.wait(10)
    assert not Alert.objects.exists()
    away.clear()
    assert raising.written(10)
    assert Alert.objects.get().subject == "The venue is down"


def test_a_caller_with_nonsense_is_not_stopped_by_it(caplog):
    raise_alert("halt", "subject", severity="purple")
    assert "could not be raised" in caplog.text


@pytest.mark.django_db
def test_acknowledging_twice_keeps_the_first_name(operator):
    alert = record(OUTAGE)
    actions.acknowledge(alert.pk, Principal("olga", "cli", frozenset(), id="olga"))
    assert actions.acknowledge(alert.pk, operator).acknowledged_by == "olga"
    with pytest.raises(actions.NoSuchAlert):
        actions.acknowledge(alert.pk + 1, operator)
