from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from tests.pages.conftest import operator as operator
from tests.pages.conftest import viewer as viewer
from tests.risk.test_api import caller as caller
from tests.risk.test_api import device as device
from tests.risk.test_api import owner as owner
from tests.trading.places import Market, open_market
from tests.venues import alpaca, tradier

Caller = Callable[[str], Client]
CREDENTIALS = {
    "alpaca": {"API_KEY": alpaca.KEY, "SECRET_KEY": alpaca.SECRET},
    "tradier": {"TOKEN": tradier.TOKEN, "ACCOUNT_ID": tradier.ACCOUNT},
    "ibkr": {},
}


@pytest.fixture(autouse=True)
def no_venue_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ALPHASWARM_ALPACA_", "ALPHASWARM_IBKR_", "ALPHASWARM_TRADIER_")):
            monkeypatch.delenv(name)


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "alpaca"))


@pytest.fixture
def market(venue: str, monkeypatch: pytest.MonkeyPatch, no_venue_is_set_up: None) -> Iterator[Market]:
    """A stub venue, and the environment that leads the product there."""
    with open_market(venue) as market:
        for name, value in {**CREDENTIALS[venue], **market.brokerage["kwargs"]}.items():
            monkeypatch.setenv(f"ALPHASWARM_{venue.upper()}_{name.upper()}", str(value))
        yield market


@pytest.fixture
def no_servers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of these tests finds the tests' database, and starts none."""
    monkeypatch.setattr("alphaswarm_site.commands.ProductCommand.needs_servers", False)
