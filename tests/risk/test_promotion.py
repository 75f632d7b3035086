"""Promoting an account to real money: who may, what it takes, and that it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from access import actions as access_actions
from access.models import AuditEntry
from access.principals import cli_principal
from risk import promotion
from risk.models import LivePromotion

pytestmark = pytest.mark.django_db(transaction=True)


def client(scope: str) -> Client:
    owner = access_actions.create_operator("operator", "correct horse battery")
    _, secret = access_actions.create_token("script", scope, principal=cli_principal(), owner=owner)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def post(by: Client, path: str, **body: Any) -> Any:
    return by.post(path, body, content_type="application/json")


def test_it_is_kept_with_its_reason_and_audited() -> None:
    promotion.promote("alpaca-live", "a year on paper", cli_principal())
    assert promotion.standing()[0]["reason"] == "a year on paper"
    entry = AuditEntry.objects.get(verb="account.promote")
    assert (entry.target, entry.detail["reason"]) == ("account:alpaca-live", "a year on paper")


def test_promoting_twice_is_once() -> None:
    first = promotion.promote("alpaca-live", "a year on paper", cli_principal())
    assert promotion.promote("alpaca-live", "again", cli_principal()).pk == first.pk
    assert LivePromotion.objects.count() == 1


@pytest.mark.parametrize("account", ["", "alpaca", "alpaca-paper", "sim-01234567", "ALPACA-live"])
def test_only_the_live_account_of_a_venue_can_be_promoted(account: str) -> None:
    with pytest.raises(promotion.NotAnAccount, match="is no live account"):
        promotion.promote(account, "why not", cli_principal())
    assert promotion.standing() == []


@pytest.mark.parametrize("verb", [promotion.promote, promotion.demote])
def test_both_verbs_need_a_reason(verb: Any) -> None:
    with pytest.raises(promotion.ReasonMissing):
        verb("alpaca-live", "  ", cli_principal())


def test_promoting_needs_a_second_factor_and_taking_back_does_not() -> None:
    admin = client("admin")
    answer = post(admin, "/accounts/alpaca-live/promote", reason="a year on paper")
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert promotion.standing() == []
    promotion.promote("alpaca-live", "a year on paper", cli_principal())
    assert [one["account"] for one in admin.get("/accounts/promotions").json()["items"]] == ["alpaca-live"]
    assert post(admin, "/accounts/alpaca-live/demote", reason="enough").json() == {
        "account": "alpaca-live",
        "live": False,
    }
    assert promotion.standing() == []


def test_who_may_only_trade_promotes_nothing() -> None:
    answer = post(client("trade"), "/accounts/alpaca-live/promote", reason="a year on paper")
    assert answer.status_code == 403
