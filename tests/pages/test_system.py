"""How the stack is told to be, with what is there and what is not."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client, override_settings

from alphaswarm_site import heartbeat
from alphaswarm_site.heartbeat import Process
from tests.pages.builders import session
from trading import releases

pytestmark = pytest.mark.django_db

URL = "/ui/system/"


def test_each_part_is_named_with_what_to_do_where_it_is_missing(operator: Client) -> None:
    context = operator.get(URL).context
    parts = {part["name"]: part for part in context["parts"]}
    assert parts["database"]["ok"]
    assert not parts["workers"]["ok"]
    assert "alphaswarm restart" in parts["workers"]["advice"]
    assert not context["ready"]


def test_a_process_of_another_version_and_a_silent_keeper_stand_out(operator: Client) -> None:
    releases.declare()
    mine = Process("worker-live-1@desk", settings.PROGRAM_VERSION, 11, ("live",))
    old = Process("guard@desk", "0.0.1+old", 12)
    with heartbeat.client() as server:
        for process in (mine, old):
            process.say(server)
        try:
            context = operator.get(URL).context
        finally:
            for process in (mine, old):
                process.withdraw(server)
    says = {one["name"]: one["says"] for one in context["processes"]}
    assert says["worker-live-1@desk"] == ""
    assert "another version" in says["guard@desk"]
    assert says["beat"].startswith("Silent.")
    assert {one["name"]: one["heard"] for one in context["queues"]} == {"live": True, "jobs": False}


def test_without_redis_the_page_says_so_and_shows_the_rest(operator: Client) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        answer = operator.get(URL)
    assert (answer.status_code, answer.context["redis"], answer.context["processes"]) == (200, None, None)
    assert answer.context["database"]["used"] >= 1
    assert "Redis does not answer" in answer.content.decode()


def test_the_feed_of_each_session_under_way_is_shown(operator: Client) -> None:
    run = session("demo").run
    (feed,) = operator.get(URL).context["feeds"]
    assert (feed["run_id"], feed["heard_at"]) == (str(run.pk), None)


def test_no_secret_is_shown(operator: Client, viewer: Client) -> None:
    for one in (operator, viewer):
        page = one.get(URL).content.decode()
        assert settings.SECRET_KEY not in page
        assert settings.REDIS_URL not in page
