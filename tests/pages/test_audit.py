"""Who did what, as a page and as a file."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client

from access import audit
from access.models import AuditEntry
from access.principals import cli_principal
from alphaswarm_site.rooms.audit import Wanted, entries

pytestmark = pytest.mark.django_db

URL = "/ui/audit/"


def test_a_verb_by_page_tells_from_where_it_came(operator: Client) -> None:
    operator.post("/ui/runs/stop-all/", {"sure": "yes"}, REMOTE_ADDR="192.0.2.7")
    operator.post("/ui/kill/engage/", {"reason": "prints are off"}, REMOTE_ADDR="192.0.2.7")
    page = operator.get(URL, {"address": "192.0.2.7"})
    assert {one["address"] for one in page.context["items"]} == {"192.0.2.7"}
    assert "prints are off" in page.content.decode()


def test_a_verb_in_a_shell_comes_from_no_address() -> None:
    assert audit.record(cli_principal(), "run.stop", "run:1").address == ""


def test_a_refused_login_tells_from_where_it_came(client: Client) -> None:
    client.post("/ui/login/", {"username": "mallory", "password": "guess"}, REMOTE_ADDR="192.0.2.9")
    assert AuditEntry.objects.get(verb="login.refuse").address == "192.0.2.9"


def test_entries_are_found_by_who_what_and_to_what(operator: Client) -> None:
    audit.record(cli_principal(), "run.stop", "run:1")
    audit.record(cli_principal(), "token.create", "token:7")
    for asked in ({"verb": "run."}, {"target": "run:1"}, {"verb": "stop", "actor": "cli"}):
        assert [one["target"] for one in operator.get(URL, asked).context["items"]] == ["run:1"], asked
    assert "Nothing is like that" in operator.get(URL, {"verb": "nothing"}).content.decode()


def test_pages_follow_one_another_without_a_gap() -> None:
    made = [audit.record(cli_principal(), "run.stop", f"run:{number}").pk for number in range(5)]
    first = entries(Wanted(verb="run.stop"), limit=3)
    second = entries(Wanted(verb="run.stop"), first["next"], limit=3)
    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]


def test_the_file_holds_what_the_filter_chooses_and_no_formula(operator: Client) -> None:
    audit.record(cli_principal(), "run.stop", "=1+1", reason="lunch")
    audit.record(cli_principal(), "run.start", "run:2")
    answer = operator.get(f"{URL}download/", {"verb": "run.stop"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["verb"], row["target"], row["detail"]) == ("run.stop", "'=1+1", '{"reason": "lunch"}')


def test_days_that_make_no_sense_are_named(operator: Client) -> None:
    for path in (URL, f"{URL}download/"):
        answer = operator.get(path, {"since": "2026-01-02", "until": "2026-01-01"})
        assert (answer.status_code, "<li>Last day, UTC:" in answer.content.decode()) == (422, True)
    assert operator.get(URL, {"after": "made-up"}).status_code == 404


def test_who_may_not_administer_reads_that_it_is_not_allowed(viewer: Client) -> None:
    for path in (URL, f"{URL}download/"):
        answer = viewer.get(path)
        assert (answer.status_code, "Not allowed" in answer.content.decode()) == (403, True)
