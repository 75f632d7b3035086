"""What is known about models and pipelines, how it changed, and what came of it."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from metadata.aspects import write_aspect
from tests.pages.builders import MODEL, PIPELINE, session
from trading.models import Bot, BotVersion

pytestmark = pytest.mark.django_db

URL = "/ui/metadata/"


def test_the_baseline_is_there_with_its_status(operator: Client) -> None:
    rows = {row["urn"]: row for row in operator.get(URL).context["items"]}
    assert rows[MODEL]["status"] == "Production"
    assert "No URN is like that" in operator.get(URL, {"search": "nothing"}).content.decode()


def test_the_newest_version_stands_beside_what_changed(operator: Client) -> None:
    write_aspect(MODEL, "model", {"status": "Staging", "owner": "desk"})
    write_aspect(MODEL, "model", {"status": "Retired", "owner": "desk"})
    context = operator.get(f"{URL}{MODEL}/").context
    assert [one.version for one in context["versions"]] == [3, 2, 1]
    assert context["compared"]["rows"] == [{"field": "status", "before": "Staging", "after": "Retired"}]
    asked = operator.get(f"{URL}{MODEL}/", {"name": "model", "before": "1", "after": "2"}).context["compared"]
    assert (asked["before"], asked["after"]) == (1, 2)
    assert {"field": "owner", "before": None, "after": "desk"} in asked["rows"]


def test_lineage_leads_from_either_end_to_bots_and_runs(operator: Client) -> None:
    run = session("demo").run
    bot = Bot.objects.create(name="reversion")
    BotVersion.objects.create(bot=bot, number=1, recipe={"session": {"model_urn": MODEL}}, sha256="0" * 64)
    for urn in (MODEL, PIPELINE):
        lineage = operator.get(f"{URL}{urn}/").context["lineage"]
        assert (lineage["models"], lineage["pipelines"]) == ([MODEL], [PIPELINE])
        assert [one.name for one in lineage["bots"]] == ["reversion"]
        assert [one["id"] for one in lineage["runs"]] == [str(run.pk)]


def test_the_gate_says_what_it_would_say(operator: Client) -> None:
    allowed = operator.get(URL, {"model_urn": MODEL, "pipeline_urn": PIPELINE})
    assert "It would let a session start" in allowed.content.decode()
    refused = operator.get(URL, {"model_urn": "urn:alphaswarm:mlmodel:prod:unheard_of"})
    assert {one.code for one in refused.context["gate"]["decision"].reasons} == {
        "model_unknown",
        "pipeline_urn_missing",
    }


def test_what_nothing_is_known_about_is_not_found(operator: Client) -> None:
    assert operator.get(f"{URL}urn:alphaswarm:mlmodel:prod:unheard_of/").status_code == 404


def test_what_is_known_is_shown_as_text_alone(viewer: Client) -> None:
    write_aspect(MODEL, "note", {"text": "<script>alert(1)</script>"})
    assert "<script>alert(1)" not in viewer.get(f"{URL}{MODEL}/", {"name": "note"}).content.decode()


def test_its_queries_do_not_grow_with_what_came_of_it(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        session(f"run {number}")
    with django_assert_max_num_queries(17):
        operator.get(f"{URL}{MODEL}/")
    with django_assert_max_num_queries(12):
        operator.get(URL)
