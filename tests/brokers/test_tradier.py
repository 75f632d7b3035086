from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from brokers import rest
from brokers.base import NotOffered, Recalled
from brokers.pacing import RateLimit
from brokers.tradier import adapter
from brokers.tradier.adapter import TradierBrokerage
from tests.brokers.contract import SYMBOL, BrokerageContract, StubVenue, limit, order, stop
from tests.risk.waiting import eventually
from tests.venues.serving import serving
from tests.venues.tradier import ACCOUNT, TOKEN, TradierStub
from trading.engine.errors import Rejected, Transient
from trading.engine.orders import OrderType, Side
from trading.engine.updates import ExternalOrder, UpdateKind, VenueUpdate


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

    def told(self) -> list[VenueUpdate]:
        self.heard += self.adapter.drain_updates()
        return self.heard

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


@pytest.mark.parametrize(
    ("kind", "why"), [(OrderType.MARKET, "no market order in the first place"), (OrderType.LIMIT, "of different types")]
)
def test_links_that_tradier_has_not_are_refused_with_a_sentence(venue, kind, why):
    price = {"limit_price": 90} if kind is OrderType.LIMIT else {}
    first = order(type=kind, **price)
    with pytest.raises(Rejected, match=why):
        venue.adapter.submit_order(first, (limit("110"),))


def test_no_quantity_is_changed(venue):
    old = venue.rest(limit("90"))
    with pytest.raises(Rejected, match="changes no order's quantity"):
        venue.adapter.replace_order(old, limit("91", qty="11", replaces=old.id))


def test_a_cancel_that_is_refused_as_if_all_were_well_is_told(venue):
    one = venue.rest(limit("90"))
    venue.stub.book.cancel = venue.stub.book.find
    venue.stub.faults.plan("bend", where="DELETE", change=lambda answer: {"errors": {"error": "not now"}})
    venue.adapter.cancel_order(one)

    [_, refused] = venue.hear(lambda heard: len(heard) == 2, one)
    assert (refused.kind, refused.reason) == (UpdateKind.CANCEL_REFUSED, "not now")


def test_no_part_of_a_unit_is_sent(venue):
    with pytest.raises(Rejected, match="whole units"):
        venue.adapter.submit_order(order(qty="0.5"))


def test_an_outsider_knows_the_legs_of_linked_orders_and_a_successor_by_our_ids(venue):
    first, second = limit("110", Side.SELL, group="g"), stop("90", group="g")
    venue.adapter.submit_order(first, (second,))
    old = venue.rest(limit("80"))
    new = limit("81", replaces=old.id)
    venue.adapter.replace_order(old, new)
    outsider = venue.make()

    assert {outsider.query_order(one).terms.type for one in (first, second)} == {OrderType.LIMIT, OrderType.STOP}
    assert outsider.query_order(new).terms.limit_price == 81


def test_an_order_that_is_no_longer_listed_is_followed_by_its_id(venue):
    one = venue.rest(limit("99"))
    venue.stub.orders_hidden = True
    venue.trade("99")

    assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]


def test_what_tradier_does_not_list_is_not_taken_for_missing(venue):
    # Surely after the midnight before, in New York too.
    today, yesterday = time.time_ns() + 120 * 10**9, time.time_ns() - 2 * 86_400 * 10**9
    old, replayed, unknown = limit("90"), limit("90", created_at=yesterday), limit("90")
    venue.adapter.recall([Recalled(old, decided_at=yesterday), Recalled(replayed, decided_at=today)])
    for one in (old, unknown):
        with pytest.raises(Transient, match="does not list the orders of earlier days"):
            venue.adapter.query_order(one)
    assert venue.adapter.query_order(replayed) is None
    with pytest.raises(NotOffered, match="current day"):
        venue.adapter.query_orders(yesterday)


def test_the_day_is_the_venues_whatever_this_machines_clock_shows(venue):
    one = limit("90")
    venue.adapter.recall([Recalled(one, decided_at=time.time_ns())])
    tomorrow = {"clock": {"state": "open", "timestamp": int(time.time()) + 2 * 86_400}}
    venue.stub.faults.plan("bend", where="GET /v1/markets/clock", change=lambda answer: tomorrow)

    with pytest.raises(Transient, match="does not list the orders of earlier days"):
        venue.adapter.query_order(one)


def test_orders_of_several_legs_by_other_hands_come_in_leg_by_leg(venue):
    def with_legs(body: Any) -> Any:
        [row] = venue.rows(body)
        legs = [{**row, "id": 9001, "type": "debit"}, {**row, "id": 9002, "side": "sell_short", "type": "debit"}]
        return {"orders": {"order": [row, {"id": 9000, "class": "multileg", "num_legs": 2, "leg": legs}]}}

    venue.rest(limit("90"))
    venue.bend("orders", with_legs, times=1_000_000)
    eventually(lambda: len([one for one in venue.told() if isinstance(one, ExternalOrder)]) == 2)
    legs = [one for one in venue.told() if isinstance(one, ExternalOrder)]

    assert [one.terms.side for one in legs] == [Side.BUY, Side.SELL]
    assert all("tradier says type 'debit'" in one.reason for one in legs)


def test_a_venue_that_cannot_be_reached_has_taken_nothing(venue):
    nowhere = venue.make(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(Transient, match="cannot be reached"):
        nowhere.submit_order(order())
    nowhere.close()


def test_a_session_of_events_that_is_over_is_asked_for_again(venue):
    eventually(lambda: any(stream.ready for stream in list(venue.stub.streams)))
    [first] = venue.stub._sessions
    venue.stub.call(venue.stub.drop_streams)

    eventually(lambda: venue.stub._sessions != {first})
    eventually(lambda: any(stream.ready for stream in list(venue.stub.streams)))


def test_an_account_without_rows_is_read_as_empty(venue):
    assert venue.adapter.query_positions() == []
    assert venue.adapter.query_orders() == []
