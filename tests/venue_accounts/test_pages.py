"""The accounts pages, their API and their commands."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput
from risk import promotion
from tests.risk.test_api import code_of
from tests.risk.test_halting import running
from tests.trading.places import Market
from tests.venue_accounts.conftest import Caller
from trading.models import VenueCheck

pytestmark = pytest.mark.django_db

#: The badge of the top bar, which leads here.
PROMOTED = "Promoted to live: alpaca-live"
LIST = "/ui/accounts/"
PAPER, LIVE = "/ui/accounts/alpaca-paper/", "/ui/accounts/alpaca-live/"


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def command(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("account", *words, "--json", stdout=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def test_with_no_venue_the_page_says_which_variables_to_set(operator: Client) -> None:
    page = text(operator, LIST)
    assert "No venue is set up" in page
    assert "ALPHASWARM_ALPACA_SECRET_KEY" in page
    assert "ALPHASWARM_IBKR_PORT" in page
    assert "each run is an account of its own" in page


def test_the_button_tests_the_account_and_the_page_shows_what_was_found(operator: Client, market: Market) -> None:
    assert "Nobody has asked its venue yet." in text(operator, PAPER)
    assert operator.post(reverse("ui:account_test", args=["alpaca-paper"])).status_code == 302
    page = text(operator, PAPER)
    assert "Up: what becomes of orders is heard." in page
    assert "Status ACTIVE, shorting yes." in page
    assert "100,000.00" in text(operator, LIST)


def test_who_may_only_look_has_no_button_and_tests_nothing(viewer: Client, market: Market) -> None:
    for path in (LIST, PAPER, LIVE):
        assert "<button" not in text(viewer, path).partition("<main")[2].partition("</main>")[0]
    assert viewer.post(reverse("ui:account_test", args=["alpaca-paper"])).status_code == 403
    assert viewer.get(reverse("ui:account_promote", args=["alpaca-live"])).status_code == 403
    assert viewer.post(reverse("ui:account_demote", args=["alpaca-live"]), {"reason": "x"}).status_code == 403
    assert not VenueCheck.objects.exists()


def test_promoting_takes_a_reason_and_a_code_and_is_shown_on_every_page(
    browser: Client, device: TOTPDevice, market: Market
) -> None:
    path = reverse("ui:account_promote", args=["alpaca-live"])
    assert "Real money" not in text(browser, "/ui/runs/")
    assert browser.post(path, {"reason": "a year on paper"}).status_code == 422
    assert promotion.standing() == []
    assert browser.post(path, {"reason": "a year on paper", "code": code_of(device)}).status_code == 302
    for shown in ("/ui/portfolio/", "/ui/runs/", "/ui/risk/", "/ui/kill/", "/ui/account/", LIST, LIVE):
        assert PROMOTED in text(browser, shown)
    demote = reverse("ui:account_demote", args=["alpaca-live"])
    assert browser.post(demote, {"reason": " "}).status_code == 422
    assert browser.post(demote, {"reason": "enough"}).status_code == 302
    assert promotion.standing() == []
    assert PROMOTED not in text(browser, "/ui/runs/")


def test_a_live_session_is_shown_on_every_page(operator: Client) -> None:
    running(account="alpaca-live", venue="alpaca", mode="live")
    for shown in ("/ui/portfolio/", "/ui/runs/", "/ui/kill/", "/admin/", LIST):
        assert 'class="mode mode--live"' in text(operator, shown)


def test_what_is_no_account_is_not_found(browser: Client) -> None:
    assert browser.get("/ui/accounts/sim-paper/").status_code == 404
    assert browser.post(reverse("ui:account_test", args=["nowhere-paper"])).status_code == 404
    assert browser.get(reverse("ui:account_promote", args=["alpaca-paper"])).status_code == 404


def test_the_api_lists_shows_and_tests_accounts(caller: Caller, market: Market) -> None:
    reader, trader = caller("read"), caller("trade")
    listed = reader.get("/accounts").json()
    assert [row["account"] for row in listed["items"]] == ["alpaca-paper", "alpaca-live"]
    assert listed["simulated"] == {"venue": "sim", "sessions": 0}
    assert reader.post("/accounts/alpaca-paper/test").status_code == 403
    tested = trader.post("/accounts/alpaca-paper/test").json()
    assert (tested["ready"], tested["positions"], tested["orders"]) == (True, [], [])
    assert reader.get("/accounts/alpaca-paper").json() == tested
    unknown = reader.get("/accounts/nowhere-paper")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert "alpaca-paper" in unknown.json()["detail"]


def test_paths_that_are_words_are_no_accounts(caller: Caller) -> None:
    reader = caller("read")
    assert reader.get("/accounts/limits").json()["items"] == []
    assert reader.get("/accounts/promotions").json()["items"] == []


@pytest.mark.usefixtures("no_servers_of_its_own")
def test_the_command_lists_tests_promotes_and_takes_back(market: Market) -> None:
    assert command("test", "alpaca-paper")["ready"] is True
    assert [row["account"] for row in command("list")["items"]] == ["alpaca-paper", "alpaca-live"]
    assert command("promote", "alpaca-live", "--reason", "a year on paper")["live"] is True
    assert promotion.is_promoted("alpaca-live")
    assert command("demote", "alpaca-live", "--reason", "enough")["changed"] is True
    for words in (("test", "nowhere-paper"), ("promote", "alpaca-paper", "--reason", "x")):
        with pytest.raises(BadInput) as refused:
            call_command("account", *words)
        assert refused.value.document["field"] == "account"
    with pytest.raises(BadInput, match="say why"):
        call_command("account", "demote", "alpaca-live", "--reason", " ")


@pytest.mark.usefixtures("no_servers_of_its_own")
def test_the_command_says_it_in_words(market: Market, capsys: pytest.CaptureFixture[str]) -> None:
    promotion.promote("alpaca-live", "a year on paper", cli_principal())
    call_command("account", "test", "alpaca-paper")
    said = capsys.readouterr().out
    assert "rest         yes  Answers" in said
    assert "buying power 100000" in said
