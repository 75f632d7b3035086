"""Real money is refused everywhere, before any venue is contacted, until a person has promoted the account."""

from __future__ import annotations

import json
import socket

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from access.actions import create_operator
from access.principals import cli_principal
from alphaswarm_site.commands import Refused
from risk import promotion
from tests.trading.market import recipe, synthetic
from trading import actions, runner
from trading.engine.errors import TradingError
from trading.models import Run
from trading.recipes import RecipeError, parse

VENUES = ["AlpacaBrokerage", "InteractiveBrokersBrokerage", "TradierBrokerage"]


def live(venue: str) -> dict:
    return recipe(synthetic()) | {"brokerage": {"class": venue, "kwargs": {"paper": False}}}


@pytest.fixture(autouse=True)
def nobody_is_called(monkeypatch):
    def refuse(self, address):
        if self.family != socket.AF_UNIX:
            raise AssertionError(f"{address} was contacted")
        return connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("venue", VENUES)
def test_real_money_is_refused_with_a_stable_code_and_the_run_is_kept_as_blocked(venue):
    with pytest.raises(actions.GateRefused) as refused:
        actions.start_paper(live(venue), principal=cli_principal())
    assert [reason.code for reason in refused.value.reasons] == ["live_not_promoted"]
    run = Run.objects.get()
    assert (run.mode, run.status) == ("live", "blocked")
    assert "set paper to true" in run.reason


@pytest.mark.django_db(transaction=True)
def test_the_page_the_api_and_the_shell_say_the_same(tmp_path):
    client = Client()
    client.force_login(create_operator("operator", "correct horse battery"))
    shown = client.post("/ui/runs/new/", {"recipe": yaml.safe_dump(live(VENUES[0])), "as": "paper"}, follow=True)
    assert "promoted to live" in shown.content.decode()
    answer = client.post("/paper/start", json.dumps(live(VENUES[0])), content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["reasons"][0]["code"] == "live_not_promoted"
    path = tmp_path / "live.yaml"
    path.write_text(yaml.safe_dump(live(VENUES[0])))
    with pytest.raises(Refused) as refused:
        call_command("paper", "run", "--config", str(path))
    assert refused.value.document["reasons"][0]["code"] == "live_not_promoted"


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_admitted_on_paper_never_turns_live():
    body = live(VENUES[0])
    body["brokerage"]["kwargs"] = {}
    run = actions.start_paper(body, principal=cli_principal(), enqueue=False)
    with pytest.raises(TradingError, match="admitted as paper"):
        runner.session(run, None, None, paper=False)


@pytest.mark.parametrize(
    ("venue", "url"),
    [("AlpacaBrokerage", "https://api.alpaca.markets"), ("TradierBrokerage", "https://api.tradier.com/v1")],
)
def test_a_paper_recipe_cannot_be_pointed_at_the_live_venue(venue, url):
    body = live(venue)
    body["brokerage"]["kwargs"] = {"base_url": url}
    with pytest.raises(RecipeError, match="real money"):
        parse(body)


@pytest.mark.django_db(transaction=True)
def test_a_promoted_account_may_trade_real_money_and_no_other(tmp_path):
    promotion.promote("alpaca-live", "a year on paper", cli_principal())
    run = actions.start_paper(live("AlpacaBrokerage"), principal=cli_principal(), enqueue=False)
    assert (run.mode, run.account, run.status) == ("live", "alpaca-live", "queued")
    with pytest.raises(actions.GateRefused, match="tradier-live is not promoted"):
        actions.start_paper(live("TradierBrokerage"), principal=cli_principal())


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_back_starts_nothing_more():
    promotion.promote("alpaca-live", "a year on paper", cli_principal())
    assert promotion.demote("alpaca-live", "the strategy changed", cli_principal())
    with pytest.raises(actions.GateRefused):
        actions.start_paper(live("AlpacaBrokerage"), principal=cli_principal())
    assert not promotion.demote("alpaca-live", "again", cli_principal())
