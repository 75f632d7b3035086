"""The table of runs, and the verbs on it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from risk.halting import standing
from tests.pages.builders import buys, ends, session
from trading import queries
from trading.models import Mode, Run

pytestmark = pytest.mark.django_db

URL = "/ui/runs/"
#: Session, user; runs; kinds, promotions, differences, alerts, kill switch, its history.
BUDGET = 9


def names(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [row["name"] for row in page["items"]]


def test_empty_it_says_what_to_do_first(operator: Client) -> None:
    assert "Start the first run" in operator.get(URL).content.decode()


def test_a_search_without_a_find_says_so(operator: Client) -> None:
    assert "No run is like that" in operator.get(URL, {"search": "nothing"}).content.decode()


def test_runs_stand_newest_first(operator: Client) -> None:
    session("older")
    session("newer")
    page = operator.get(URL).content.decode()
    assert page.index("newer") < page.index("older")


def test_runs_are_found_by_name_id_state_and_mode() -> None:
    running, ended = session("alpha"), session("beta", mode=Mode.BACKTEST)
    ends(ended)
    assert names(queries.runs(queries.RunFilter(search="alp"))) == ["alpha"]
    assert names(queries.runs(queries.RunFilter(search=str(running.run.id)[:13]))) == ["alpha"]
    assert names(queries.runs(queries.RunFilter(status="active"))) == ["alpha"]
    assert names(queries.runs(queries.RunFilter(status="stopped"))) == ["beta"]
    assert names(queries.runs(queries.RunFilter(mode="backtest"))) == ["beta"]


def test_pages_follow_one_another_without_a_gap() -> None:
    for number in range(5):
        session(f"run {number}")
    first = queries.runs(queries.RunFilter(), limit=3)
    second = queries.runs(queries.RunFilter(), first["next"], limit=3)
    assert names(first) + names(second) == ["run 4", "run 3", "run 2", "run 1", "run 0"]
    assert second["next"] is None


def test_a_made_up_cursor_is_not_found(operator: Client) -> None:
    assert operator.get(URL, {"after": "made-up"}).status_code == 404


def test_a_running_session_tells_what_its_last_flush_said() -> None:
    buys(session())
    (row,) = queries.runs(queries.RunFilter())["items"]
    assert (row["total_pnl"], row["num_bars"]) == ("-0.35", 1)


def test_its_queries_do_not_grow_with_the_runs(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        session(f"run {number}")
    with django_assert_max_num_queries(BUDGET):
        operator.get(URL)


def test_stopping_asks_the_session_to_drain(operator: Client) -> None:
    run = session().run
    answer = operator.post(f"{URL}{run.id}/stop/", {"next": f"{URL}{run.id}/", "sure": "yes"})
    assert answer.headers["Location"] == f"{URL}{run.id}/"
    run.refresh_from_db()
    assert run.stop_requested_at is not None


@pytest.mark.parametrize("verb", ["{}/stop/", "stop/", "stop-all/"])
def test_without_scripts_a_page_asks_before_anything_is_stopped(operator: Client, verb: str) -> None:
    run = session("lonely").run
    sent = {**chosen(run), "next": "https://elsewhere.example/"}
    page = operator.post(URL + verb.format(run.pk), sent).content.decode()
    assert "Nothing was done yet" in page
    assert f'href="{URL}">Go back' in page
    assert not Run.objects.filter(stop_requested_at__isnull=False)
    asked = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)) | {"sure": "yes"}
    assert asked["run"] == str(run.pk)
    operator.post(URL + verb.format(run.pk), asked)
    assert Run.objects.get().stop_requested_at is not None


def test_stopping_leads_to_no_other_site(operator: Client) -> None:
    run = session().run
    answer = operator.post(f"{URL}{run.id}/stop/", {"next": "https://elsewhere.example/", "sure": "yes"})
    assert answer.headers["Location"] == URL


def test_stop_all_asks_every_session(operator: Client) -> None:
    session("one")
    session("two")
    operator.post(f"{URL}stop-all/", {"sure": "yes"})
    assert Run.objects.filter(stop_requested_at__isnull=False).count() == 2


def chosen(*runs: Run) -> dict[str, list[str]]:
    return {"run": [str(run.pk) for run in runs]}


def said(client: Client) -> str:
    return client.get(URL).content.decode()


def test_the_ticked_runs_are_stopped_and_no_other(operator: Client) -> None:
    one, two, three = (session(name).run for name in ("one", "two", "three"))
    operator.post(f"{URL}stop/", {**chosen(one, two), "sure": "yes"})
    assert set(Run.objects.filter(stop_requested_at__isnull=False)) == {one, two}
    assert Run.objects.get(stop_requested_at=None) == three
    assert "2 runs asked to stop." in said(operator)


@pytest.mark.django_db(transaction=True)
def test_the_ticked_runs_are_halted_with_a_reason(operator: Client) -> None:
    run = session().run
    operator.post(f"{URL}halt/", {**chosen(run), "reason": ""})
    assert not standing()
    assert "Nothing was halted" in said(operator)
    operator.post(f"{URL}halt/", {**chosen(run), "reason": "a drill"})
    assert [(halt.target, halt.reason) for halt in standing()] == [(str(run.pk), "a drill")]


def test_nothing_is_done_to_what_has_ended_or_was_not_ticked(operator: Client) -> None:
    ended = ends(session())
    for asked in ({}, {"run": "made-up"}, chosen(ended)):
        operator.post(f"{URL}stop/", {**asked, "sure": "yes"})
        assert "No run that is under way was chosen" in said(operator)
    assert not Run.objects.filter(stop_requested_at__isnull=False)


def test_runs_stand_in_the_order_that_is_asked_for_page_by_page(operator: Client) -> None:
    for name, pnl in (("b", "5"), ("c", "-7"), ("a", "3")):
        ends(session(name))
        Run.objects.filter(name=name).update(total_pnl=pnl)
    session("running")
    first = queries.runs(queries.RunFilter(), limit=2, order="best")
    assert names(first) == ["b", "a"]
    assert names(queries.runs(queries.RunFilter(), first["next"], limit=2, order="best")) == ["c"]
    assert names(queries.runs(queries.RunFilter(), order="name")) == ["a", "b", "c", "running"]
    assert names(queries.runs(queries.RunFilter(), order="oldest")) == ["b", "c", "a", "running"]
    assert operator.get(URL, {"order": "made-up"}).status_code == 200


def test_a_viewer_sees_no_verb_and_may_not_use_one(viewer: Client) -> None:
    run = session().run
    page = viewer.get(URL).content.decode()
    assert f"{run.id}/stop/" not in page
    assert "stop-all" not in page
    for verb in (f"{run.id}/stop/", "stop/", "halt/"):
        assert viewer.post(f"{URL}{verb}", {**chosen(run), "reason": "none"}).status_code == 403
    assert Run.objects.get().stop_requested_at is None


def test_a_verb_is_not_done_by_a_link(operator: Client) -> None:
    assert operator.get(f"{URL}{session().run.id}/stop/").status_code == 405
