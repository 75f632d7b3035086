from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from brokers import rest
from brokers.pacing import RateLimit
from brokers.tradier import adapter
from brokers.tradier.adapter import TradierBrokerage
from tests.brokers.contract import SYMBOL, BrokerageContract, StubVenue, order
from tests.venues.serving import serving
from tests.venues.tradier import ACCOUNT, TOKEN, TradierStub
from trading.engine.errors import Rejected
from trading.engine.orders import OrderType, Side


class Tradier(StubVenue):
    routes = {
        "submit": f"POST /v1/accounts/{ACCOUNT}/orders",
        "replace": f"PUT /v1/accounts/{ACCOUNT}/orders",
        "cancel": f"DELETE /v1/accounts/{ACCOUNT}/orders",
        "orders": f"GET /v1/accounts/{ACCOUNT}/orders",
        "positions": f"GET /v1/accounts/{ACCOUNT}/positions",
        "account": f"GET /v1/accounts/{ACCOUNT}/balances",
    }
    words = {"name": "tag", "status": "status", "type": "type", "duration": "duration", "side": "side"}

    def __init__(self, stub: TradierStub) -> None:
        self.stub = stub
        super().__init__()

    def make(self, **kwargs: object) -> TradierBrokerage:
        facts = {"token": TOKEN, "account_id": ACCOUNT, "base_url": f"{self.stub.url}/v1", "poll_seconds": 0.1}
        adapter = TradierBrokerage(**{**facts, **kwargs})
        self.pace(RateLimit(10_000, 1.0), adapter)
        return adapter

    def rows(self, body: Any) -> list[dict[str, Any]]:
        held = body.get("orders", body)
        rows = [] if held == "null" else held["order"]
        return rows if isinstance(rows, list) else [rows]

    @property
    def wrong(self) -> dict[str, object]:
        return {"token": "wrong"}


@pytest.fixture
def venue(monkeypatch) -> Iterator[Tradier]:
    monkeypatch.setattr(adapter, "_RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(rest, "STALE_SECONDS", 0.5)
    with serving(TradierStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Tradier(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


class TestTradier(BrokerageContract):
    not_applicable = {
        "test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was": "it changes orders in place",
    }


def test_an_order_that_closes_says_so(venue):
    venue.adapter.submit_order(order(Side.BUY, collateral=0))
    venue.adapter.submit_order(order(Side.SELL))
    [covers, shorts] = [venue.stub._words_of[held.terms.client_order_id][0] for held in venue.book.orders.values()]

    assert (covers, shorts) == ("buy_to_cover", "sell_short")


def test_a_trailing_stop_is_none_of_tradiers(venue):
    with pytest.raises(Rejected, match="no trailing_stop orders"):
        venue.adapter.submit_order(order(type=OrderType.TRAILING_STOP, trail_amount=1))


def test_an_account_without_rows_is_read_as_empty(venue):
    assert venue.adapter.query_positions() == []
    assert venue.adapter.query_orders() == []
