"""Starting a run from a recipe."""

from __future__ import annotations

import html
import re

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


def checked(client: Client, text: str, **fields: str) -> str:
    """What the page says of a text and of what was typed into its form since the text was shown."""
    answer = client.post(f"{URL}check/", {"recipe": text, "base": text, **fields}, headers=HTMX)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def test_a_changed_field_is_written_into_the_text_beside_its_comments(operator: Client) -> None:
    text = "# mine\n" + recipe()
    page = checked(
        operator, text, **{"strategy.kwargs.fast": "7", "strategy.kwargs.slow": "20", "risk.max_open_orders": "3"}
    )
    assert "# mine" in page
    assert "fast: 7" in page
    assert "max_open_orders: 3" in page


def test_a_changed_text_is_read_into_the_form(operator: Client) -> None:
    page = checked(operator, recipe(universe=["SPY", "BAC"]))
    assert 'name="universe" value="SPY, BAC"' in page


def test_another_strategy_takes_the_arguments_of_the_former_away(operator: Client) -> None:
    page = checked(operator, recipe(), **{"strategy.class": "MeanReversionStrategy"})
    assert 'name="strategy.kwargs.entry_z"' in page
    assert "fast" not in page
    assert "quantity: 10" in page


def test_what_is_wrong_stands_beside_its_field_and_names_its_line(operator: Client) -> None:
    page = checked(operator, recipe(), **{"strategy.kwargs.fast": "quick"})
    assert 'id="wrong-strategy.kwargs.fast">must be a whole number' in page
    assert re.search(r"<code>strategy.kwargs.fast</code> \(line \d+\): must be a whole number", page)


def test_in_the_middle_of_a_line_the_form_stays_as_it_was_and_waits(operator: Client) -> None:
    answer = operator.post(f"{URL}check/", {"recipe": recipe() + "risk: {", "base": recipe()}, headers=HTMX)
    page = answer.content.decode()
    assert "<fieldset disabled>" in page
    assert 'name="universe" value="SPY"' in page


def test_it_says_what_the_gate_would_say(operator: Client) -> None:
    assert "model_urn_missing" in checked(operator, recipe(session={}))
    assert "model_urn_missing" not in checked(operator, recipe())
    assert not Run.objects.exists()


def test_it_says_what_the_first_order_costs(operator: Client) -> None:
    venue = {"class": "SimulatedBrokerage", "kwargs": {"fees": {"per_order": 1.5}, "slippage": {"bps": 10}}}
    page = checked(operator, recipe(brokerage=venue))
    told = re.search(
        r"worth <span class=\"figure\">([\d,.]+)<.*commission <span class=\"figure\">1.50<.*slippage "
        r"<span class=\"figure\">([\d,.]+)<",
        page,
        re.DOTALL,
    )
    assert told
    worth, slippage = (float(figure.replace(",", "")) for figure in told.groups())
    assert slippage == pytest.approx(worth / 1000, rel=0.1), "ten basis points, to the tick"


def test_it_says_what_the_limits_would_deny(operator: Client) -> None:
    assert "max_order_qty" in checked(operator, recipe(risk={"max_order_qty": 5})).split("Risk limits")[1]


def test_live_prices_are_not_asked_for(operator: Client) -> None:
    feed = {"class": "AlpacaFeed", "kwargs": {"timeframe": "1Min"}}
    assert "this was tried on made-up ones" in checked(operator, recipe(feed=feed))


def test_a_viewer_is_told_what_is_wrong_and_nothing_is_tried_for_them(viewer: Client) -> None:
    page = checked(viewer, recipe())
    assert "Metadata gate" in page
    assert "First order" not in page


def test_without_a_script_the_fields_are_started_as_they_stand(operator: Client) -> None:
    operator.post(URL, {"recipe": recipe(), "base": recipe(), "name": "by_hand", "as": "paper"})
    assert Run.objects.get().name == "by_hand"


def test_the_recipe_of_an_earlier_run_can_be_taken(operator: Client) -> None:
    operator.post(URL, {"recipe": recipe(), "as": "paper"})
    page = operator.get(URL, {"run": str(Run.objects.get().pk)}).content.decode()
    assert "from_the_page" in page
    assert operator.get(URL, {"run": "none"}).status_code == 404
