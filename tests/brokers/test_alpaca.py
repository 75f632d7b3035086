from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.pacing import RateLimit
from tests.brokers.contract import SYMBOL, BrokerageContract, StubVenue, limit, order
from tests.risk.waiting import eventually
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.serving import serving
from trading.engine.errors import Rejected
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce
from trading.engine.updates import OrderUpdate, UpdateKind


class Alpaca(StubVenue):
    routes = {
        "submit": "POST /v2/orders",
        "replace": "PATCH /v2/orders",
        "cancel": "DELETE /v2/orders",
        "orders": "GET /v2/orders",
        "positions": "GET /v2/positions",
        "account": "GET /v2/account",
    }
    words = {
        "name": "client_order_id",
        "status": "status",
        "type": "type",
        "duration": "time_in_force",
        "side": "side",
    }

    def __init__(self, stub: AlpacaStub) -> None:
        self.stub = stub
        super().__init__()

    def make(self, **kwargs) -> AlpacaBrokerage:
        urls = {"base_url": self.stub.url, "stream_url": f"{self.stub.socket_url}/stream"}
        return AlpacaBrokerage(**{"api_key": KEY, "secret_key": SECRET, "poll_seconds": 0.2, **urls, **kwargs})

    def rows(self, body: Any) -> list[dict[str, Any]]:
        return body if isinstance(body, list) else [body]

    def garble(self, field: str, of: OrderRecord | None = None) -> None:
        """Its events and its answers show an order too."""
        self.stub.faults.plan("lose_event", times=1_000_000)
        self.bend("submit", self.with_word(field, of), times=1_000_000)
        super().garble(field, of)

    def pace(self, limit: RateLimit, adapter: Any = None) -> None:
        (adapter or self.adapter)._rest._limit = limit

    @contextmanager
    def interrupt(self) -> Iterator[None]:
        self.stub.call(self.stub.drop_streams)
        yield

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


class TestAlpaca(BrokerageContract):
    not_applicable = {
        "test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was": "it replaces orders",
        "test_one_cancel_that_fails_holds_no_other_back": "one call cancels all",
        "test_the_successor_of_an_order_that_is_filled_in_part_is_for_the_rest": (
            "it is refused, since how much the successor would be for is not sure"
        ),
    }


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


def test_an_order_that_is_filled_in_part_is_not_replaced_and_stays_as_it_was(venue):
    old, new = limit("99"), limit("98")
    venue.adapter.submit_order(old)
    venue.trade("99", "4")
    with pytest.raises(Rejected, match="filled in part"):
        venue.adapter.replace_order(old, new)
    assert [one.status for one in venue.book.orders.values()] == ["partially_filled"]


def test_an_order_that_the_venue_has_already_is_adopted(venue):
    one = order()
    venue.adapter.submit_order(one)
    venue.adapter.submit_order(one)

    assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert len(venue.book.orders) == 1


def test_a_trade_that_is_taken_back_is_no_money_and_shows_in_the_positions(venue, caplog):
    one = order()
    venue.adapter.submit_order(one)
    venue.kinds(one, UpdateKind.FILL, "10")
    [held] = venue.book.orders.values()
    venue.stub.call(venue.book.correct, held.id, Decimal(6), Decimal(100))
    eventually(lambda: "takes back what it filled" in caplog.text)

    assert venue.adapter.query_positions()[0].qty == 6
    assert {type(told) for told in venue.heard + venue.adapter.drain_updates()} == {OrderUpdate}


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
