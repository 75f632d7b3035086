from __future__ import annotations

from collections.abc import Iterator

import pytest

from brokers.ibkr import orders
from tests.brokers.contract_venue import SYMBOL
from tests.brokers.places import Alpaca, Ibkr
from tests.venues import serving, tws
from tests.venues.alpaca import AlpacaStub


@pytest.fixture
def alpaca() -> Iterator[Alpaca]:
    with serving.serving(AlpacaStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Alpaca(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


@pytest.fixture
def ibkr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ibkr]:
    monkeypatch.setattr(orders, "ACKNOWLEDGE_SECONDS", 1.0)
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Ibkr(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()
