"""The pages of bots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from access.principals import cli_principal
from trading import host
from trading.bots import actions
from trading.models import Bot, Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/ui/bots/"
ME = cli_principal()


@pytest.fixture
def bot(document: dict[str, Any]) -> Bot:
    """A bot with two versions."""
    actions.save_bot("crossing", document, principal=ME)
    document["strategy"]["kwargs"]["quantity"] = 11
    return actions.save_bot("crossing", document, principal=ME)


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_bots_the_page_says_how_to_make_one(operator: Client) -> None:
    page = text(operator, URL)
    assert "No bot yet" in page
    assert "/ui/bots/new/" in page


def test_the_list_names_version_and_strategy(operator: Client, bot: Bot) -> None:
    page = text(operator, URL)
    assert f"/ui/bots/{bot.id}/" in page
    assert "SmaCrossStrategy" in page


def test_a_recipe_is_saved_and_what_stands_against_one_is_told(operator: Client, document: dict[str, Any]) -> None:
    refused = operator.post(f"{URL}new/", {"name": "crossing", "recipe": "name: x"})
    assert refused.status_code == 422
    assert "universe" in refused.content.decode()
    assert operator.post(f"{URL}new/", {"name": "no name", "recipe": json.dumps(document)}).status_code == 422
    saved = operator.post(f"{URL}new/", {"name": "crossing", "recipe": json.dumps(document)})
    assert saved.headers["Location"] == f"{URL}{Bot.objects.get().id}/"


def test_changing_the_recipe_makes_the_next_version(operator: Client, bot: Bot) -> None:
    path = f"{URL}{bot.id}/recipe/"
    assert "quantity: 11" in text(operator, path)
    recipe = bot.versions.first().recipe
    recipe["strategy"]["kwargs"]["quantity"] = 12
    operator.post(path, {"recipe": json.dumps(recipe)})
    assert bot.versions.count() == 3


def test_two_versions_stand_side_by_side(operator: Client, bot: Bot) -> None:
    page = text(operator, f"{URL}{bot.id}/")
    assert "strategy.kwargs.quantity" in page
    assert "<td>10</td><td><mark>11</mark></td>" in page
    assert "They are the same." in text(operator, f"{URL}{bot.id}/?before=1&after=1")


def test_a_backtest_is_started_from_the_page_and_then_listed(operator: Client, bot: Bot) -> None:
    answer = operator.post(f"{URL}{bot.id}/backtest/", {"version": "1"})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/ui/backtests/{run.id}/"
    host.run_backtest(run.pk)
    page = text(operator, f"{URL}{bot.id}/")
    assert f"/ui/backtests/{run.id}/" in page
    assert "yes, tested" in page
    assert f"/ui/bots/{bot.id}/" in text(operator, f"/ui/runs/{run.id}/")


def test_a_session_of_an_untested_version_is_blocked_and_shown(operator: Client, bot: Bot) -> None:
    answer = operator.post(f"{URL}{bot.id}/paper/", {"version": "2"})
    run = Run.objects.get()
    assert (answer.headers["Location"], run.status) == (f"/ui/runs/{run.id}/", RunStatus.BLOCKED)


@pytest.mark.parametrize(
    ("field", "value"), [("version", "9"), ("version", "x"), ("starting_cash", "-5"), ("duration_minutes", "nan")]
)
def test_a_bad_figure_starts_nothing_and_is_named(operator: Client, bot: Bot, field: str, value: str) -> None:
    answer = operator.post(f"{URL}{bot.id}/paper/", {field: value})
    assert answer.status_code == 422
    assert field in answer.content.decode()
    assert not Run.objects.exists()


def test_a_viewer_sees_no_verb_and_may_not_use_one(viewer: Client, bot: Bot) -> None:
    assert "Run a backtest" not in text(viewer, f"{URL}{bot.id}/")
    for path in (f"{URL}new/", f"{URL}{bot.id}/recipe/", f"{URL}{bot.id}/backtest/", f"{URL}{bot.id}/paper/"):
        assert viewer.post(path).status_code == 403


def test_a_bot_that_is_not_there_is_not_found(operator: Client) -> None:
    assert operator.get(f"{URL}00000000-0000-0000-0000-000000000000/").status_code == 404
