"""Limits of whole accounts and their breakers, by API and command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from hypothesis import given
from hypothesis import strategies as st

from access.models import AuditEntry
from access.principals import Principal
from alphaswarm_site.commands import BadInput
from risk import account_actions
from risk.account_actions import BadLimits, Loosens, NoSuchAccount
from risk.account_limits import AccountLimits
from risk.breaker import MOST_FAILURES, MOST_SILENCE, Breaker, Call
from risk.kill_switch import ReasonMissing
from risk.models import Account, OrderGrant
from tests.risk.test_api import caller as caller
from tests.risk.test_api import code_of, post
from tests.risk.test_api import device as device
from tests.risk.test_api import owner as owner
from tests.risk.test_halting import holding, resting, running
from trading.account_room import queries
from trading.models import AccountEntry

pytestmark = pytest.mark.django_db

Caller = Callable[[str], Client]
PATH = "/accounts/alpaca-paper/limits"


def put(by: Client, body: dict[str, Any], **headers: str) -> Any:
    return by.put(PATH, body, content_type="application/json", headers=headers)


def limits() -> dict[str, Any]:
    return Account.objects.get(pk="alpaca-paper").limits


@pytest.fixture
def limited(operator: Principal) -> Account:
    given = AccountLimits(max_gross_exposure=Decimal(1000), max_open_orders=5)
    account_actions.set_limits("alpaca-paper", given, "first limits", operator, may_loosen=False)
    return Account.objects.get()


@pytest.fixture
def tripped(limited: Account) -> Account:
    limited.breaker_open, limited.breaker_reason, limited.trips = True, "5 calls in a row failed", 1
    limited.save()
    return limited


def test_a_limit_is_tightened_with_a_reason_alone(caller: Caller, limited: Account) -> None:
    tighter = {"limits": {"max_gross_exposure": "500", "max_open_orders": 5}, "reason": "a wild day"}
    answer = put(caller("trade"), tighter)
    assert answer.status_code == 200
    assert (limits()["max_gross_exposure"], answer.json()["loosened"]) == ("500", [])
    entry = AuditEntry.objects.filter(verb="account.limits").latest("id")
    assert (entry.target, entry.detail["reason"]) == ("account:alpaca-paper", "a wild day")
    assert entry.detail["before"]["max_gross_exposure"] == "1000"


@pytest.mark.parametrize("looser", [{"max_gross_exposure": "2000", "max_open_orders": 5}, {"max_gross_exposure": 900}])
def test_a_limit_is_loosened_by_an_admin_with_a_second_factor(
    caller: Caller, limited: Account, device: TOTPDevice, looser: dict[str, Any]
) -> None:
    body = {"limits": looser, "reason": "more money"}
    assert put(caller("trade"), body).status_code == 403
    assert put(caller("admin"), body).status_code == 401
    assert limits() == {"max_gross_exposure": "1000", "max_open_orders": 5}
    assert put(caller("admin"), body, **{"X-OTP": code_of(device)}).status_code == 200
    assert limits() != {"max_gross_exposure": "1000", "max_open_orders": 5}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limits": {"max_gross_exposure": 500}, "reason": " "}, "reason"),
        ({"limits": {"max_gross_exposure": -1}, "reason": "why"}, "limits.max_gross_exposure"),
        ({"limits": {"max_gross_exposure": "NaN"}, "reason": "why"}, "limits.max_gross_exposure"),
        ({"limits": {"max_gros_exposure": 1}, "reason": "why"}, "limits.max_gros_exposure"),
    ],
)
def test_a_bad_limit_names_its_field_and_changes_nothing(caller: Caller, body: dict[str, Any], field: str) -> None:
    answer = put(caller("trade"), body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert not Account.objects.exists()


@pytest.mark.parametrize("name", ["sim-paper", "sim-0123abcd", "alpaca", "ALPACA-live", ""])
def test_an_account_that_nobody_shares_has_no_limits(name: str, operator: Principal) -> None:
    with pytest.raises(NoSuchAccount, match="alpaca-paper"):
        account_actions.set_limits(name, AccountLimits(), "why", operator, may_loosen=True)
    assert not Account.objects.exists()


def test_the_verb_itself_loosens_nothing_that_it_may_not(limited: Account, operator: Principal) -> None:
    with pytest.raises(Loosens) as refused:
        account_actions.set_limits("alpaca-paper", AccountLimits(), "why", operator, may_loosen=False)
    assert refused.value.names == ["max_gross_exposure", "max_open_orders"]
    with pytest.raises(ReasonMissing):
        account_actions.set_limits("alpaca-paper", AccountLimits(), "", operator, may_loosen=True)
    assert limits() == limited.limits


def test_what_is_used_of_each_limit_is_shown(caller: Caller, limited: Account) -> None:
    run = running()
    holding(run, qty=-5)
    order = resting(run, qty=8, symbol="AAPL")
    OrderGrant.objects.create(
        order_id=order.pk, account="alpaca-paper", unit_value=Decimal(100), granted_at=order.created_at
    )
    found = caller("read").get(PATH).json()
    assert {row["code"]: (row["used"], row["limit"]) for row in found["headroom"]} == {
        "max_gross_exposure": ("805", "1000"),
        "max_open_orders": ("1", "5"),
    }
    assert found["used"]["max_position_value"] == {"used": "800", "symbol": "AAPL"}
    assert found["unpriced"] == []
    assert [row["account"] for row in caller("read").get("/accounts/limits").json()["items"]] == ["alpaca-paper"]


def test_a_breaker_is_reset_by_an_admin_with_a_reason_and_a_second_factor(
    caller: Caller, tripped: Account, device: TOTPDevice
) -> None:
    path = "/breakers/alpaca-paper/reset"
    [row] = caller("read").get("/breakers").json()["items"]
    assert (row["name"], row["open"], row["reason"]) == ("alpaca-paper", True, "5 calls in a row failed")
    assert post(caller("trade"), path, {"reason": "it is back"}).status_code == 403
    assert post(caller("admin"), path, {"reason": "it is back"}).status_code == 401
    assert Account.objects.get().breaker_open
    answer = post(caller("admin"), path, {"reason": "it is back"}, **{"X-OTP": code_of(device)})
    assert (answer.status_code, json.loads(answer.content)["open"]) == (200, False)
    assert Account.objects.get().reset_reason == "it is back"
    assert AuditEntry.objects.filter(verb="breaker.reset", detail__changed=True).exists()


def test_a_breaker_that_never_was_cannot_be_reset(operator: Principal) -> None:
    with pytest.raises(NoSuchAccount):
        account_actions.reset_breaker("alpaca-paper", "why", operator)


@pytest.fixture
def answered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr("alphaswarm_site.commands.ProductCommand.needs_servers", False)

    def run(*arguments: str) -> Any:
        call_command(*arguments, json=True)
        return json.loads(capsys.readouterr().out)

    return run


def test_the_command_line_changes_what_it_names_and_leaves_the_rest(answered: Callable[..., Any], limited: Any) -> None:
    done = answered("account", "set", "alpaca-paper", "max_open_orders=none", "max_daily_loss=50", "--reason", "why")
    assert limits() == {"max_gross_exposure": "1000", "max_daily_loss": "50"}
    assert done["loosened"] == ["max_open_orders"]
    assert answered("account", "limits", "alpaca-paper")["limits"]["max_daily_loss"] == "50"
    for change in ("max_daily_loss", "max_daily_loss=much", "max_dayly_loss=1"):
        with pytest.raises(BadInput):
            answered("account", "set", "alpaca-paper", change, "--reason", "why")


def test_the_command_line_lists_and_resets_breakers(answered: Callable[..., Any], tripped: Account) -> None:
    assert answered("breaker", "list")["items"][0]["open"]
    assert answered("breaker", "reset", "alpaca-paper", "--reason", "it is back")["changed"]
    assert not answered("breaker", "list")["items"][0]["open"]


def test_limits_that_are_not_figures_are_refused() -> None:
    with pytest.raises(BadLimits, match="max_open_orders"):
        account_actions.read_limits({"max_open_orders": 1.5})


# When a breaker trips.


@given(st.lists(st.booleans(), max_size=40))
def test_a_breaker_trips_after_so_many_failures_in_a_row_and_at_no_other_time(outcomes: list[bool]) -> None:
    breaker, in_a_row = Breaker(), 0
    for failed in outcomes:
        in_a_row = in_a_row + 1 if failed else 0
        why = breaker.failed(Call.ORDER, "timed out") if failed else breaker.answered(Call.ORDER) or ""
        assert bool(why) == (in_a_row == MOST_FAILURES)
        in_a_row %= MOST_FAILURES


def test_answers_to_questions_do_not_hide_that_every_order_fails() -> None:
    breaker = Breaker()
    for _ in range(MOST_FAILURES - 1):
        assert not breaker.failed(Call.ORDER, "503")
        breaker.answered(Call.QUESTION)
    assert breaker.failed(Call.ORDER, "503") == "5 orders in a row failed, the last one: 503"


def test_a_breaker_trips_once_updates_have_been_missing_for_too_long() -> None:
    breaker = Breaker()
    assert not breaker.updates("a", False, 0.0)
    assert not breaker.updates("a", False, MOST_SILENCE - 1)
    assert not breaker.updates("a", True, MOST_SILENCE - 0.5)
    assert not breaker.updates("a", False, MOST_SILENCE)
    assert not breaker.updates("b", False, MOST_SILENCE * 2 - 1)
    assert breaker.updates("a", False, MOST_SILENCE * 2) == "order updates have been down for 30 s"


def test_a_limit_of_single_orders_is_shown_although_nothing_uses_it_up(limited: Account) -> None:
    limited.limits = {"max_order_value": "1000"}
    limited.save()
    (row,) = queries.account(limited.name)["headroom"]
    assert (row["code"], row["used"], row["limit"], row["fraction"]) == ("max_order_value", "0", "1000", 0.0)


def test_a_limit_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(account_actions.BadLimits, match="max_opn: it is not known; there are max_gross_exposure, "):
        account_actions.read_limits({"max_opn": 2})


# The pages.


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def test_the_page_shows_limits_and_breakers(browser: Client, tripped: Account) -> None:
    page = browser.get(reverse("ui:accounts")).content.decode()
    assert "Max gross exposure" in page
    assert "5 calls in a row failed" in page
    assert reverse("ui:breaker_reset", args=["alpaca-paper"]) in page


def test_the_page_names_what_counts_for_nothing_since_nobody_knows_its_price(browser: Client, limited: Account) -> None:
    AccountEntry.objects.create(account=limited.name, symbol="NVDA", ticker="NVDA", qty=1000, by="x", reason="held")
    page = browser.get(reverse("ui:accounts")).content.decode()
    assert "What alpaca-paper has of NVDA outside of all runs counts for nothing here" in page


def test_the_form_tightens_without_a_code_and_loosens_with_one(
    browser: Client, limited: Account, device: TOTPDevice
) -> None:
    path = reverse("ui:account_limits", args=["alpaca-paper"])
    form = {"max_gross_exposure": "500", "max_open_orders": "5", "reason": "a wild day"}
    assert browser.post(path, form).status_code == 302
    looser = {**form, "max_gross_exposure": "900"}
    assert browser.post(path, looser).status_code == 422
    assert browser.post(path, {**form, "max_gross_exposure": "much"}).status_code == 422
    assert limits()["max_gross_exposure"] == "500"
    assert browser.post(path, {**looser, "code": code_of(device)}).status_code == 302
    assert limits()["max_gross_exposure"] == "900"


def test_the_form_of_a_breaker_resets_it_with_a_code(browser: Client, tripped: Account, device: TOTPDevice) -> None:
    path = reverse("ui:breaker_reset", args=["alpaca-paper"])
    assert browser.post(path, {"reason": "it is back"}).status_code == 422
    assert Account.objects.get().breaker_open
    assert browser.post(path, {"reason": "it is back", "code": code_of(device)}).status_code == 302
    assert not Account.objects.get().breaker_open


def test_an_account_that_nobody_shares_has_no_form(browser: Client) -> None:
    assert browser.get(reverse("ui:account_limits", args=["sim-paper"])).status_code == 404
    assert browser.get(reverse("ui:breaker_reset", args=["alpaca-paper"])).status_code == 404
