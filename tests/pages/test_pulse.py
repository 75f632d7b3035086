"""What the bar says of workers and venues."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from risk.models import Account
from tests.ledger.builders import new_run
from trading.models import Mode

pytestmark = pytest.mark.django_db

URL = "/ui/system/pulse/"


def test_a_part_that_is_missing_is_named(operator: Client) -> None:
    answer = operator.get(URL)
    assert "workers missing" in answer.context["amiss"]
    assert "pulse--look" in answer.content.decode()


def test_an_open_breaker_is_named(operator: Client) -> None:
    Account.objects.create(name="alpaca-paper", breaker_open=True, opened_at=datetime.now(UTC))
    assert "alpaca-paper: breaker open" in operator.get(URL).context["amiss"]


def test_an_account_that_nobody_uses_is_not_counted(operator: Client) -> None:
    assert operator.get(URL).context["venues"] == 0
    new_run(mode=Mode.PAPER, venue="alpaca", account="alpaca-paper", status="running")
    assert operator.get(URL).context["venues"] == 1
