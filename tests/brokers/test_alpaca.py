from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal

import msgspec
import pytest

from brokers.alpaca.adapter import AlpacaBrokerage
from tests.brokers.contract import SYMBOL, RestContract, Venue, limit, order
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.book import Book, Terms
from tests.venues.serving import serving
from trading.engine.errors import Rejected
from trading.engine.orders import OrderType, Side, TimeInForce
from trading.engine.updates import UpdateKind


class Alpaca(Venue):
    def __init__(self, stub: AlpacaStub) -> None:
        self.stub = stub
        super().__init__()

    @property
    def book(self) -> Book:
        return self.stub.book

    def make(self, **kwargs) -> AlpacaBrokerage:
        urls = {"base_url": self.stub.url, "stream_url": f"{self.stub.socket_url}/stream"}
        return AlpacaBrokerage(**{"api_key": KEY, "secret_key": SECRET, "poll_seconds": 0.2, **urls, **kwargs})

    def trade(self, price, size=None) -> None:
        self.stub.trade(SYMBOL, price, size)

    def by_hand(self) -> str:
        terms = Terms(SYMBOL, "buy", qty=Decimal(3), type="limit", limit_price=Decimal(90))
        return self.stub.call(self.stub.book.submit, terms).id

    def lose_answer(self, fault) -> None:
        self.stub.faults.plan(fault, where="POST /v2/orders", seconds=0)

    def lose_event(self) -> None:
        self.stub.faults.plan("lose_event")

    def unsure(self):
        return nullcontext()

    @property
    def wrong(self):
        return {"secret_key": "wrong"}


@pytest.fixture
def venue() -> Iterator[Alpaca]:
    with serving(AlpacaStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Alpaca(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


class TestAlpaca(RestContract):
    pass


def bracket():
    entry = limit("99", qty="10", time_in_force=TimeInForce.GTC)
    target = limit("110", Side.SELL, parent_id=entry.id, reduce_only=True)
    stop = order(Side.SELL, type=OrderType.STOP, stop_price=Decimal(90), parent_id=entry.id, reduce_only=True)
    return entry, target, stop


def test_a_bracket_is_held_by_the_venue_and_its_legs_keep_our_names(venue):
    entry, target, stop = bracket()
    venue.adapter.submit_order(entry, (target, stop))
    venue.trade("99")
    venue.trade("110")

    assert venue.kinds(target, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert venue.kinds(stop, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED


@pytest.mark.parametrize(
    "terms", [{"side": Side.BUY}, {"qty": Decimal(20)}, {"symbol": "MSFT"}], ids=["same side", "more", "another symbol"]
)
def test_a_leg_that_the_venue_would_make_something_else_of_is_refused(venue, terms):
    entry, target, stop = bracket()
    with pytest.raises(Rejected, match="one symbol and quantity"):
        venue.adapter.submit_order(entry, (target, msgspec.structs.replace(stop, **terms)))
    assert not venue.book.orders


def test_a_replaced_order_is_told_as_such_and_its_successor_as_accepted(venue):
    old, new = limit("90"), limit("91")
    venue.adapter.submit_order(old)
    venue.adapter.replace_order(old, new)

    assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]
    assert venue.kinds(new, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]


def test_an_order_that_the_venue_has_already_is_adopted(venue):
    one = order()
    venue.adapter.submit_order(one)
    venue.adapter.submit_order(one)

    assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert len(venue.book.orders) == 1


def test_no_update_is_taken_for_healthy_while_the_events_are_down_and_what_was_missed_is_told(venue):
    one = limit("99")
    venue.adapter.submit_order(one)
    venue.stub.call(venue.stub.drop_streams)
    venue.hear(lambda heard: not venue.adapter.updates_healthy)
    venue.trade("99")

    assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1
    venue.hear(lambda heard: venue.adapter.updates_healthy)


@pytest.mark.parametrize("fault", ["duplicate_event", "reorder_events"])
def test_repeated_and_reordered_events_are_told_once(venue, fault):
    venue.stub.faults.plan(fault)
    one = order()
    venue.adapter.submit_order(one)
    other = order()
    venue.adapter.submit_order(other)

    for each in (one, other):
        assert venue.kinds(each, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
