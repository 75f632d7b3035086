"""An adapter whose answers and events go astray: whatever becomes of them, the venue has each order once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal

import pytest

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.base import Recalled
from tests.brokers.contract import SYMBOL, limit
from tests.risk.waiting import eventually
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.book import Book, Terms
from tests.venues.serving import serving
from trading.engine.errors import Unknown
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.updates import UpdateKind, VenueUpdate

#: In this time a fill whose event was lost is told all the same.
RECONCILED_SECONDS = 5.0
HOUR = 3600 * 10**9


@pytest.fixture(params=[True, False], ids=["unique ids", "any ids"])
def stub(request: pytest.FixtureRequest) -> Iterator[AlpacaStub]:
    with serving(AlpacaStub(Book(unique_client_ids=request.param))) as stub:
        stub.trade(SYMBOL, "100")
        yield stub


@pytest.fixture
def adapter(stub: AlpacaStub) -> Iterator[AlpacaBrokerage]:
    urls = {"base_url": stub.url, "stream_url": f"{stub.socket_url}/stream"}
    made = AlpacaBrokerage(KEY, SECRET, poll_seconds=0.5, **urls)
    made.connect()
    yield made
    made.close()


def sent(adapter: AlpacaBrokerage) -> OrderRecord:
    """An order that was sent once, whatever was heard of it."""
    order = limit("90", qty="2")
    with suppress(Unknown):
        adapter.submit_order(order)
    return order


def told(adapter: AlpacaBrokerage, kind: UpdateKind, seconds: float = 10.0) -> list[VenueUpdate]:
    """All that was told, once something of this kind was."""
    heard: list[VenueUpdate] = []

    def look() -> bool:
        heard.extend(adapter.drain_updates())
        return any(getattr(one, "kind", None) is kind for one in heard)

    eventually(look, seconds)
    return heard


@pytest.mark.parametrize("fault", ["swallow", "error", "garbage"])
def test_05_06_an_order_whose_answer_is_lost_is_found_by_its_id_and_never_sent_twice(
    stub: AlpacaStub, adapter: AlpacaBrokerage, fault: str
) -> None:
    stub.faults.plan(fault, where="POST /v2/orders", seconds=0)
    order = sent(adapter)
    told(adapter, UpdateKind.ACCEPTED)
    assert [one["client_order_id"] for one in stub.book.journal.of("order")] == [order.client_order_id]


def test_07_an_acknowledgement_on_the_stream_settles_an_order_whose_answer_is_awaited(
    stub: AlpacaStub, adapter: AlpacaBrokerage
) -> None:
    stub.faults.plan("swallow", where="POST /v2/orders", seconds=1.0)
    order = sent(adapter)
    heard = told(adapter, UpdateKind.ACCEPTED)
    stub.trade(SYMBOL, "89")
    heard += told(adapter, UpdateKind.FILL)
    kinds = [one.kind for one in heard if getattr(one, "client_order_id", "") == order.client_order_id]
    assert (kinds.count(UpdateKind.ACCEPTED), kinds.count(UpdateKind.FILL)) == (1, 1)
    assert len(stub.book.journal.of("order")) == 1


def test_08_an_order_that_the_venue_has_already_is_adopted() -> None:
    with serving(AlpacaStub()) as stub:
        stub.trade(SYMBOL, "100")
        order = limit("90", qty="2")
        terms = Terms(SYMBOL, "buy", Decimal(2), "limit", "day", order.client_order_id, limit_price=Decimal(90))
        stub.call(stub.book.submit, terms)
        urls = {"base_url": stub.url, "stream_url": f"{stub.socket_url}/stream"}
        adapter = AlpacaBrokerage(KEY, SECRET, poll_seconds=0.5, **urls)
        adapter.connect()
        try:
            adapter.submit_order(order)
            told(adapter, UpdateKind.ACCEPTED)
        finally:
            adapter.close()
        assert len(stub.book.orders) == 1


def test_02_an_order_that_filled_while_nobody_owned_its_run_is_told_to_the_next_owner(stub: AlpacaStub) -> None:
    now = time.time_ns()
    # Of a feed whose own time is an hour ahead of the clock's.
    order = limit("101", qty="2", created_at=now + HOUR, status=OrderStatus.INTENDED)
    terms = Terms(SYMBOL, "buy", Decimal(2), "limit", "day", order.client_order_id, limit_price=Decimal(101))
    stub.call(stub.book.submit, terms)
    adapter = AlpacaBrokerage(KEY, SECRET, poll_seconds=0.5, base_url=stub.url, stream_url=f"{stub.socket_url}/stream")
    adapter.recall([Recalled(order, decided_at=now)])
    adapter.connect()
    try:
        [fill] = [one for one in told(adapter, UpdateKind.FILL) if one.kind is UpdateKind.FILL]  # type: ignore[union-attr]
    finally:
        adapter.close()
    assert (fill.client_order_id, fill.qty) == (order.client_order_id, 2)


def test_13_a_fill_whose_event_is_lost_is_told_within_five_seconds(stub: AlpacaStub, adapter: AlpacaBrokerage) -> None:
    sent(adapter)
    told(adapter, UpdateKind.ACCEPTED)
    stub.faults.plan("lose_event", times=2)
    stub.trade(SYMBOL, "89")
    fills = [one for one in told(adapter, UpdateKind.FILL, RECONCILED_SECONDS) if one.kind is UpdateKind.FILL]  # type: ignore[union-attr]
    assert [fill.qty for fill in fills] == [2]
