"""From rows to people, over real sockets."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from datetime import timedelta

import pytest
import requests
from django.db import OperationalError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from risk.alert_models import Alert, AlertDelivery
from risk.alerts import Notice, actions, channels, deliver_due, delivery, queries
from risk.alerts.delivery import LETTERS, LONGEST_PAUSE, REPEAT, pause_after
from risk.alerts.notices import record
from tests.risk.waiting import eventually

pytestmark = pytest.mark.django_db

PATIENCE = 10.0
HALT = Notice(kind="halt", subject="demo was halted: max_daily_loss", message="lost 120 <of> 100", severity="critical")


def all_due() -> None:
    AlertDelivery.objects.exclude(due_at=None).update(due_at=timezone.now() - timedelta(seconds=1))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_each_channel_is_told_once(hook, slack, mail):
    record(HALT)
    assert deliver_due(PATIENCE) == 3
    assert deliver_due(PATIENCE) == 0
    [told] = json.loads(hook.calls[0].body)["alerts"]
    assert (told["kind"], told["severity"], told["count"]) == ("halt", "critical", 1)
    assert json.loads(slack.calls[0].body) == {
        "text": "CRITICAL: demo was halted: max_daily_loss\nlost 120 &lt;of&gt; 100"
    }
    assert "Subject: [AlphaSwarm] CRITICAL: demo was halted: max_daily_loss" in mail.mails[0]
    assert (len(hook.calls), len(slack.calls), len(mail.mails)) == (1, 1, 1)


def test_a_receiver_can_tell_that_a_message_is_ours_and_new(hook):
    record(HALT)
    deliver_due(PATIENCE)
    call = hook.calls[0]
    fields = dict(part.split("=", 1) for part in call.headers["x-alphaswarm-signature"].split(","))
    expected = hmac.new(b"canary-secret", fields["t"].encode() + b"." + call.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(fields["v1"], expected)
    assert abs(int(fields["t"]) - time.time()) < 60


def test_what_comes_together_is_one_message(hook):
    for number in range(LETTERS + 2):
        record(Notice(kind="halt", subject=f"run {number}", dedupe_key=f"halt:{number}"))
    deliver_due(PATIENCE)
    deliver_due(PATIENCE)
    assert [len(json.loads(call.body)["alerts"]) for call in hook.calls] == [LETTERS, 2]


def test_what_goes_on_is_told_again_only_after_a_while_with_its_count(hook):
    alert = record(HALT)
    deliver_due(PATIENCE)
    for _ in range(11):
        record(HALT)
    assert deliver_due(PATIENCE) == 0
    AlertDelivery.objects.update(delivered_at=timezone.now() - REPEAT)
    deliver_due(PATIENCE)
    again = json.loads(hook.calls[1].body)["alerts"][0]
    assert again["count"] == 12
    alert.refresh_from_db()
    assert f"12 times since {alert.first_at:%Y-%m-%d %H:%M} UTC" in delivery.letter_of(alert).text


def test_nobody_is_told_again_of_what_a_person_has_seen(hook, operator):
    hook.fails_with(500)
    alert = record(HALT)
    deliver_due(PATIENCE)
    actions.acknowledge(alert.pk, operator)
    record(HALT)
    all_due()
    hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    deliver_due(PATIENCE)
    assert len(hook.calls) == 1
    assert queries.open_by_urgency()["all"] == 0


@pytest.mark.parametrize("answer", [b"\0\xffgarbage\r\n\r\n", b"", b"HTTP/1.1 302 No\r\nLocation: /there\r\n\r\n"])
def test_a_channel_that_answers_nonsense_is_tried_again(hook, answer):
    good, hook.answer = hook.answer, answer
    record(HALT)
    assert deliver_due(PATIENCE) == 0
    row = AlertDelivery.objects.get()
    assert row.error and row.attempts == 1 and row.due_at > timezone.now()
    assert deliver_due(PATIENCE) == 0, "not before its pause is over"
    hook.answer = good
    all_due()
    assert deliver_due(PATIENCE) == 1
    row.refresh_from_db()
    assert (row.told, row.attempts, row.due_at) == (1, 0, None)


def test_a_channel_that_hangs_holds_up_neither_the_round_nor_the_others(hook, slack):
    hook.may_answer.clear()
    record(HALT)
    begun = time.perf_counter()
    deliver_due()
    assert time.perf_counter() - begun < 2
    eventually(lambda: deliver_due() + AlertDelivery.objects.filter(channel="slack", told=1).count() > 0)
    record(Notice(kind="kill", subject="another", dedupe_key="another"))
    deliver_due()
    assert AlertDelivery.objects.filter(channel="webhook").count() == 1, "a busy channel claims nothing"
    hook.may_answer.set()
    eventually(lambda: bool(deliver_due() or AlertDelivery.objects.filter(channel="webhook", told=1).exists()))


def test_a_channel_that_is_silent_is_given_up_in_time(hook, monkeypatch):
    monkeypatch.setattr(channels, "TIMEOUTS", (0.2, 0.2))
    hook.may_answer.clear()
    record(HALT)
    deliver_due(PATIENCE)
    assert AlertDelivery.objects.get().error == "no answer within 0.2 s"


def test_a_mail_server_that_refuses_is_said_by_its_code_alone(mail):
    mail.refuses = "535 user ops has no password canary-password"
    record(HALT)
    deliver_due(PATIENCE)
    assert AlertDelivery.objects.get().error == "the mail server refused the log-in (535)"


def test_what_nobody_could_be_told_of_for_a_day_is_told_no_more(hook):
    hook.fails_with(500)
    record(HALT)
    Alert.objects.update(last_at=timezone.now() - delivery.GIVE_UP + timedelta(seconds=5))
    deliver_due(PATIENCE)
    Alert.objects.update(last_at=timezone.now() - delivery.GIVE_UP - timedelta(seconds=1))
    all_due()
    deliver_due(PATIENCE)
    assert AlertDelivery.objects.get().due_at is None


@given(st.integers(1, 10_000))
def test_pauses_grow_to_half_an_hour_and_no_further(attempts):
    assert pause_after(attempts) <= pause_after(attempts + 1) <= LONGEST_PAUSE


def test_what_was_sent_while_the_database_fell_away_is_not_sent_again(hook, monkeypatch):
    def away(outcome):
        raise OperationalError("away")

    record(HALT)
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "write_down", away)
        with pytest.raises(OperationalError):
            deliver_due(PATIENCE)
    all_due()
    assert deliver_due(PATIENCE) == 1
    assert len(hook.calls) == 1


def test_a_test_says_of_each_channel_what_happened(hook, slack, settings, operator):
    hook.fails_with(503, "canary in the answer")
    rows = {row["channel"]: row for row in actions.test(operator)}
    assert (rows["webhook"]["ok"], rows["webhook"]["detail"]) == (False, "answered 503")
    assert (rows["slack"]["ok"], rows["slack"]["detail"]) == (True, "delivered")
    assert rows["email"]["detail"] == "not configured: set ALPHASWARM_ALERT_EMAIL_TO and ALPHASWARM_EMAIL_URL"
    settings.ALERT_SLACK_URL = f"http://127.0.0.1:{closed_port()}/services/canary"
    [gone] = actions.test(operator, "slack")
    assert gone["detail"] == "cannot be reached, or does not speak HTTP"
    assert queries.open_by_urgency()["all"] == 0
    all_due()
    assert deliver_due(PATIENCE) == 0, "a test that failed is not tried again"
    shown = {row["name"]: row for row in queries.channel_rows()}
    assert shown["slack"]["delivered_at"] and shown["slack"]["failed_at"]
    with pytest.raises(actions.NoSuchChannel):
        actions.test(operator, "pigeon")


def test_no_secret_is_logged_kept_or_shown(hook, slack, mail, caplog, operator, monkeypatch):
    caplog.set_level("DEBUG")
    mail.refuses = "535 canary-password"
    hook.fails_with(500, "canary-secret canary-path")
    slack.answer = b"canary-token\r\n\r\n"
    record(HALT)
    deliver_due(PATIENCE)
    actions.test(operator)
    monkeypatch.setattr(channels.Slack, "send", lambda *_: (_ for _ in ()).throw(requests.RequestException("canary")))
    actions.test(operator, "slack")
    told = [caplog.text, repr(list(AlertDelivery.objects.values())), repr(list(Alert.objects.values()))]
    told += [repr(queries.channel_rows()), repr(queries.alerts()), repr(queries.heartbeat_row())]
    assert AlertDelivery.objects.exclude(error="").count() >= 3
    assert "canary" not in "".join(told)
