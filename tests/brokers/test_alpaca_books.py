"""What Alpaca's books tell an adapter that was not there: a run's own orders from before, and lists of many pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from brokers.alpaca import adapter as alpaca
from brokers.base import Recalled
from tests.brokers.contract import SYMBOL, limit, order
from tests.brokers.test_alpaca import Alpaca
from tests.venues.alpaca import AlpacaStub
from tests.venues.serving import serving
from trading.engine.orders import OrderStatus
from trading.engine.updates import ExternalOrder, UpdateKind


@pytest.fixture
def venue() -> Iterator[Alpaca]:
    with serving(AlpacaStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Alpaca(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


def booked(venue, one, **changed):
    """The order as the run's books have it."""
    shown = venue.adapter.query_order(one)
    facts = {"status": OrderStatus.ACCEPTED, "venue_order_id": shown.venue_order_id, "filled_qty": shown.filled_qty}
    return msgspec.structs.replace(one, **{**facts, **changed})


def test_a_run_that_goes_on_hears_of_its_orders_what_its_books_do_not_have(venue):
    part, gone, lost = (limit(price, created_at=time.time_ns()) for price in ("99", "98.5", "98"))
    for one in (part, gone, lost):
        venue.adapter.submit_order(one)
    venue.trade("99", "4")
    venue.kinds(part, UpdateKind.FILL, "4")
    known = [
        Recalled(booked(venue, part), value=Decimal(396)),
        Recalled(booked(venue, gone)),
        Recalled(msgspec.structs.replace(lost, status=OrderStatus.UNKNOWN)),
    ]
    venue.adapter.close()
    venue.trade("98.5")
    later = Alpaca(venue.stub)
    later.adapter.recall(known)
    later.adapter.connect()
    try:
        assert later.kinds(part, UpdateKind.FILL, "6") == [UpdateKind.FILL]
        assert later.kinds(gone, UpdateKind.FILL, "10") == [UpdateKind.FILL]
        assert later.kinds(lost, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
        assert not [told for told in later.heard if isinstance(told, ExternalOrder)]
    finally:
        later.adapter.close()


def test_lists_are_read_to_their_last_page(venue, monkeypatch):
    monkeypatch.setattr(alpaca, "_MOST_ORDERS", 2)
    monkeypatch.setattr(alpaca, "_PAGE", 2)
    since = time.time_ns() - 1_000_000_000
    orders = [order(qty="1") for _ in range(5)]
    for one in orders:
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "1")
    names = [one.client_order_id for one in orders]
    assert [shown.client_order_id for shown in venue.adapter.query_orders(since)] == names
    fills = venue.adapter.query_fills(since)
    assert len({fill.execution_id for fill in fills}) == len(fills) == 5
    told = {update.execution_id for update in venue.heard if getattr(update, "kind", "") is UpdateKind.FILL}
    assert {fill.execution_id for fill in fills} == told


def test_a_stream_that_came_up_again_is_counted(venue):
    assert venue.adapter.connections == 1
    venue.stub.call(venue.stub.drop_streams)
    venue.hear(lambda _: venue.adapter.connections == 2)
