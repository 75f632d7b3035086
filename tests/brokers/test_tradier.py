from __future__ import annotations

from collections.abc import Iterator

import pytest

from brokers.tradier.adapter import TradierBrokerage
from tests.brokers.contract import SYMBOL, RestContract, Venue, order
from tests.venues.book import Book, Terms
from tests.venues.serving import serving
from tests.venues.tradier import ACCOUNT, TOKEN, TradierStub
from trading.engine.errors import Rejected
from trading.engine.orders import OrderType, Side


class Tradier(Venue):
    def __init__(self, stub: TradierStub) -> None:
        self.stub = stub
        super().__init__()

    @property
    def book(self) -> Book:
        return self.stub.book

    def make(self, **kwargs) -> TradierBrokerage:
        facts = {"token": TOKEN, "account_id": ACCOUNT, "base_url": f"{self.stub.url}/v1", "poll_seconds": 0.1}
        return TradierBrokerage(**{**facts, **kwargs})

    def trade(self, price, size=None) -> None:
        self.stub.trade(SYMBOL, price, size)

    def by_hand(self) -> str:
        terms = Terms(SYMBOL, "buy", qty=3, type="limit", limit_price=90)
        return self.stub.call(self.stub.book.submit, terms).id

    def lose_answer(self, fault) -> None:
        self.stub.faults.plan(fault, where=f"POST /v1/accounts/{ACCOUNT}/orders", seconds=0)

    def lose_event(self) -> None:
        self.stub.faults.plan("lose_event")

    @property
    def wrong(self):
        return {"token": "wrong"}


@pytest.fixture
def venue() -> Iterator[Tradier]:
    with serving(TradierStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Tradier(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


class TestTradier(RestContract):
    pass


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
