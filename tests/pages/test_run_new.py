"""Starting a run from a recipe."""

from __future__ import annotations

import pytest
import yaml
from django.test import Client

from access.principals import cli_principal
from risk import kill_switch
from tests.pages.builders import MODEL, PIPELINE
from trading.models import Mode, Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/ui/runs/new/"
HTMX = {"HX-Request": "true"}


def recipe(**changed: object) -> str:
    whole = {
        "name": "from_the_page",
        "universe": ["SPY"],
        "strategy": {"class": "SmaCrossStrategy", "kwargs": {"fast": 5, "slow": 20, "quantity": 10}},
        "feed": {"class": "SyntheticFeed", "kwargs": {"seed": 1, "timeframe": "1Sec", "pace": "1x"}},
        "brokerage": {"class": "SimulatedBrokerage", "kwargs": {}},
        "risk": {},
        "session": {"model_urn": MODEL, "pipeline_urn": PIPELINE},
    }
    return yaml.safe_dump({**whole, **changed})


def test_a_sound_recipe_starts_a_session_and_leads_to_it(operator: Client) -> None:
    answer = operator.post(URL, {"recipe": recipe(), "as": "paper"})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/ui/runs/{run.id}/"
    assert (run.name, run.mode, run.created_by) == ("from_the_page", Mode.PAPER, "operator")


def test_asked_by_htmx_the_browser_is_sent_on(operator: Client) -> None:
    answer = operator.post(URL, {"recipe": recipe(), "as": "paper"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == f"/ui/runs/{Run.objects.get().id}/"


def test_the_same_recipe_can_be_tested_on_the_past(operator: Client) -> None:
    bounded = {"class": "SyntheticFeed", "kwargs": {"seed": 1, "timeframe": "1Min", "pace": "max"}}
    operator.post(URL, {"recipe": recipe(feed=bounded, session={"max_bars": 50}), "as": "backtest"})
    assert Run.objects.get().mode == Mode.BACKTEST


def test_what_is_wrong_is_named_by_field_and_nothing_typed_is_lost(operator: Client) -> None:
    text = recipe(strategy={"class": "SmaCrossStrategy", "kwargs": {"fast": "quick", "slow": 20, "quantity": 10}})
    answer = operator.post(URL, {"recipe": text, "as": "paper"}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "strategy.kwargs.fast" in page
    assert "quick" in page
    assert not Run.objects.exists()


def test_a_run_that_the_gate_refuses_shows_its_reasons(operator: Client) -> None:
    operator.post(URL, {"recipe": recipe(session={}), "as": "paper"})
    run = Run.objects.get()
    assert run.status == RunStatus.BLOCKED
    assert "The metadata gate refused this run" in operator.get(f"/ui/runs/{run.id}/").content.decode()


def test_nothing_starts_while_the_kill_switch_is_engaged(operator: Client) -> None:
    kill_switch.engage("a drill", cli_principal())
    page = operator.post(URL, {"recipe": recipe(), "as": "paper"}).content.decode()
    assert "The kill switch is engaged; release it before anything starts." in page
    assert not Run.objects.exists()


def test_a_viewer_may_read_recipes_and_start_nothing(viewer: Client) -> None:
    assert "You may read, but not trade" in viewer.get(URL).content.decode()
    assert viewer.post(URL, {"recipe": recipe()}).status_code == 403


def test_a_ready_recipe_is_put_into_the_form(operator: Client) -> None:
    page = operator.get(URL, {"config": "sim_sma_cross"}).content.decode()
    assert "SmaCrossStrategy" in page
