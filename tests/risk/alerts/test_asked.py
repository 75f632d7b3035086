"""Alerts by page, API and command line."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from access import actions as access_actions
from access.models import AuditEntry
from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed
from risk.alert_models import Alert
from risk.alerts import Notice
from risk.alerts.notices import record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("var")]

PAGE = "/ui/risk/alerts/"


def caller(scope: str) -> Client:
    _, secret = access_actions.create_token("script", scope, principal=cli_principal())
    return Client(headers={"Authorization": f"Bearer {secret}"})


def person(role: str) -> Client:
    user = User.objects.create_user(role, password="correct horse battery")
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alerts() -> list[Alert]:
    notices = [
        Notice(kind="kill", subject="Kill switch engaged", severity="critical"),
        Notice(kind="halt", subject="demo <b>halted</b>", message="lost 120"),
        Notice(kind="halt", subject="other halted"),
    ]
    return [found for notice in notices if (found := record(notice)) is not None]


def test_the_api_pages_and_filters(alerts):
    api = caller("read")
    first = api.get("/alerts", {"limit": 2}).json()
    rest = api.get("/alerts", {"limit": 2, "cursor": first["next"]}).json()
    assert [row["id"] for row in first["items"] + rest["items"]] == [alert.pk for alert in reversed(alerts)]
    assert rest["next"] is None
    assert len(api.get("/alerts", {"kind": "halt"}).json()["items"]) == 2
    assert [row["kind"] for row in api.get("/alerts", {"severity": "critical"}).json()["items"]] == ["kill"]


@pytest.mark.parametrize(("field", "value"), [("severity", "purple"), ("cursor", "x"), ("cursor", "-1")])
def test_a_filter_that_means_nothing_is_refused_by_its_name(field, value):
    answer = caller("read").get("/alerts", {field: value})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_acknowledging_needs_the_right_and_leaves_a_trace(alerts):
    path = f"/alerts/{alerts[0].pk}/acknowledge"
    assert caller("read").post(path).status_code == 403
    answer = caller("trade").post(path)
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "script")
    assert AuditEntry.objects.filter(verb="alert.acknowledge", target=f"alert:{alerts[0].pk}").count() == 1
    assert len(caller("read").get("/alerts", {"open": "true"}).json()["items"]) == 2
    assert caller("trade").post("/alerts/999999999/acknowledge").status_code == 404


def test_a_test_by_the_api_says_what_happened(hook):
    api = caller("trade")
    answer = api.post("/alerts/test", {"channel": "webhook"}, "application/json").json()
    assert [(row["channel"], row["ok"]) for row in answer["items"]] == [("webhook", True)]
    refused = api.post("/alerts/test", {"channel": "pigeon"}, "application/json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "channel")
    channels = {row["name"]: row for row in api.get("/alerts/channels").json()["items"]}
    assert channels["webhook"]["delivered_at"]
    assert "canary" not in json.dumps(channels)


def test_the_page_shows_what_is_open_and_who_may_acknowledge(alerts, hook):
    viewer = person("viewer").get(PAGE).content.decode()
    assert "demo &lt;b&gt;halted&lt;/b&gt;" in viewer
    assert "canary" not in viewer
    assert "Acknowledge" not in viewer and "Send a test" not in viewer
    operator = person("operator")
    assert "Send a test" in operator.get(PAGE).content.decode()
    operator.post(f"{PAGE}{alerts[0].pk}/acknowledge/", {"next": f"{PAGE}?open=1"})
    found = operator.get(PAGE, {"open": "1"}).content.decode()
    assert "Kill switch engaged" not in found
    assert '>2</span><span class="visually-hidden"> open alerts' in found


def test_the_page_leads_nobody_elsewhere(alerts):
    answer = person("operator").post(f"{PAGE}{alerts[0].pk}/acknowledge/", {"next": "https://elsewhere.example/"})
    assert answer["Location"] == PAGE


def test_a_test_by_the_page_says_what_happened(hook):
    answer = person("operator").post(f"{PAGE}test/", follow=True).content.decode()
    assert "webhook: delivered (" in answer
    assert "slack: not configured" in answer
    assert person("viewer").post(f"{PAGE}test/").status_code == 403


def test_the_command_line_lists_acknowledges_and_tests(alerts, hook):
    def run(*words: str) -> dict:
        out = StringIO()
        call_command("alert", *words, "--json", stdout=out)
        return json.loads(out.getvalue())

    assert [row["kind"] for row in run("list", "--kind", "kill")["items"]] == ["kill"]
    assert run("acknowledge", str(alerts[0].pk))["acknowledged_at"]
    assert [row["kind"] for row in run("list", "--open")["items"]] == ["halt", "halt"]
    assert run("test", "webhook")["items"][0]["ok"]
    hook.fails_with(500)
    with pytest.raises(CommandFailed, match="answered 500"):
        run("test")
    with pytest.raises(BadInput, match="severity"):
        run("list", "--severity", "purple")
