"""The stub speaks Alpaca's protocol: shown with Alpaca's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.live import StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.faults import Fault
from tests.venues.serving import serving


@pytest.fixture
def venue() -> Iterator[AlpacaStub]:
    with serving(AlpacaStub()) as stub:
        stub.trade("AAPL", "100")
        yield stub


@pytest.fixture
def client(venue: AlpacaStub) -> TradingClient:
    client = TradingClient(KEY, SECRET, url_override=venue.url)
    client._retry = 0
    return client


def market(qty: float, side: OrderSide = OrderSide.BUY, **terms) -> MarketOrderRequest:
    return MarketOrderRequest(symbol="AAPL", qty=qty, side=side, time_in_force=TimeInForce.DAY, **terms)


def limit(qty: float, price: float, side: OrderSide = OrderSide.BUY, **terms) -> LimitOrderRequest:
    terms = {"time_in_force": TimeInForce.DAY, **terms}
    return LimitOrderRequest(symbol="AAPL", qty=qty, side=side, limit_price=price, **terms)


def test_a_market_order_is_filled_and_changes_position_and_cash(client):
    order = client.submit_order(market(10, client_order_id="c-1"))

    assert (order.status, order.filled_qty, order.filled_avg_price) == ("filled", "10", "100")
    assert client.get_open_position("AAPL").qty == "10"
    assert client.get_account().cash == "99000"
    assert client.get_order_by_client_id("c-1").id == order.id


def test_a_limit_order_rests_until_the_market_comes_and_fills_in_parts(venue, client):
    order = client.submit_order(limit(10, 99))
    venue.trade("AAPL", "99", size="4")
    part = client.get_order_by_id(order.id)
    venue.trade("AAPL", "98.5")

    assert (part.status, part.filled_qty) == ("partially_filled", "4")
    assert client.get_order_by_id(order.id).filled_avg_price == "98.7"


def test_a_bracket_sells_what_was_bought_by_one_exit_and_cancels_the_other(venue, client):
    terms = {
        "order_class": OrderClass.BRACKET,
        "take_profit": TakeProfitRequest(limit_price=110),
        "stop_loss": StopLossRequest(stop_price=95),
    }
    entry = client.submit_order(market(10, **terms))
    venue.trade("AAPL", "110")
    target, stop = client.get_order_by_id(entry.id).legs

    assert (target.status, stop.status) == ("filled", "canceled")
    assert client.get_all_positions() == []


def test_a_trailing_stop_follows_the_market_up_and_sells_on_the_way_down(venue, client):
    client.submit_order(market(10))
    trailing = TrailingStopOrderRequest(
        symbol="AAPL", qty=10, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, trail_price=2
    )
    order = client.submit_order(trailing)
    for price in ("105", "103.5", "103"):
        venue.trade("AAPL", price)

    assert client.get_order_by_id(order.id).filled_avg_price == "103"


def test_a_replaced_order_is_another_order(client):
    old = client.submit_order(limit(10, 90))
    new = client.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=91, client_order_id="c-2"))

    assert (new.replaces, new.limit_price, new.client_order_id) == (old.id, "91", "c-2")
    assert client.get_order_by_id(old.id).status == "replaced"
    assert [one.id for one in client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))] == [new.id]


def test_cancelling_all_leaves_nothing_open(client):
    for price in (90, 91):
        client.submit_order(limit(1, price))

    assert len(client.cancel_orders()) == 2
    assert client.get_orders() == []


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (limit(10, 90.001), 422, 42210000),
        (limit(100_000, 90), 403, 40310000),
        (market(-1), 422, 42210000),
    ],
)
def test_what_the_venue_refuses_comes_with_its_code(client, request_, status, code):
    with pytest.raises(APIError) as refusal:
        client.submit_order(request_)

    assert (refusal.value.status_code, refusal.value.code) == (status, code)


def test_a_client_order_id_is_taken_once_even_when_its_order_is_over(client):
    client.cancel_order_by_id(client.submit_order(limit(1, 90, client_order_id="c-1")).id)
    with pytest.raises(APIError) as refusal:
        client.submit_order(limit(1, 90, client_order_id="c-1"))

    assert refusal.value.code == 40010001


def test_wrong_credentials_are_told(venue):
    with pytest.raises(APIError) as refusal:
        TradingClient("k", "s", url_override=venue.url).get_account()

    assert refusal.value.status_code == 401


def test_an_error_after_the_order_was_taken_leaves_it_at_the_venue(venue, client):
    venue.faults.plan(Fault.ERROR, where="POST /v2/orders")
    with pytest.raises(APIError):
        client.submit_order(market(1, client_order_id="c-1"))

    assert client.get_order_by_client_id("c-1").status == "filled"


def test_a_swallowed_answer_leaves_the_order_at_the_venue(venue, client):
    venue.faults.plan(Fault.SWALLOW, where="POST /v2/orders", seconds=0)
    with pytest.raises(OSError):
        client.submit_order(market(1, client_order_id="c-1"))

    assert [entry["client_order_id"] for entry in venue.book.journal.of("fill")] == ["c-1"]


@asynccontextmanager
async def running(stream: TradingStream | StockDataStream) -> AsyncIterator[None]:
    task = asyncio.create_task(stream._run_forever())
    try:
        yield
    finally:
        task.cancel()
        await stream.close()


async def until(condition) -> None:
    while not condition():  # noqa: ASYNC110  (what is waited for happens in another thread)
        await asyncio.sleep(0.01)


async def events_of(venue: AlpacaStub, client: TradingClient, count: int, act) -> list[str]:
    """The events that the client's own stream hears while ``act`` works."""
    heard: list[str] = []
    enough = asyncio.Event()

    async def hear(message) -> None:
        heard.append(message["data"]["event"])
        if len(heard) >= count:
            enough.set()

    stream = TradingStream(KEY, SECRET, raw_data=True, url_override=f"{venue.socket_url}/stream")
    stream.subscribe_trade_updates(hear)
    async with running(stream), asyncio.timeout(10):
        await until(lambda: venue._trading)
        await asyncio.to_thread(act)
        await enough.wait()
    return heard


async def test_the_order_stream_tells_a_life(venue, client):
    def act() -> None:
        client.submit_order(limit(10, 99))
        venue.trade("AAPL", "99", size="4")
        venue.trade("AAPL", "99")

    assert await events_of(venue, client, 3, act) == ["new", "partial_fill", "fill"]


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Fault.LOSE_EVENT, ["fill"]),
        (Fault.DUPLICATE_EVENT, ["new", "new", "fill"]),
        (Fault.REORDER_EVENTS, ["fill", "new"]),
    ],
)
async def test_the_order_stream_can_lose_repeat_and_reorder(venue, client, fault, heard):
    venue.faults.plan(fault)

    assert await events_of(venue, client, len(heard), lambda: client.submit_order(market(1))) == heard


async def test_the_data_stream_brings_bars(venue):
    heard: asyncio.Queue = asyncio.Queue()

    async def hear(bar) -> None:
        heard.put_nowait(bar)

    stream = StockDataStream(KEY, SECRET, url_override=f"{venue.socket_url}/v2/iex")
    stream.subscribe_bars(hear, "AAPL")
    async with running(stream), asyncio.timeout(10):
        await until(lambda: any(venue._data.values()))
        venue.call(venue.bar, "AAPL", datetime(2026, 1, 5, 15, 0, tzinfo=UTC), (1.0, 2.0, 0.5, 1.5))
        bar = await heard.get()

    assert (bar.symbol, bar.close, bar.timestamp) == ("AAPL", 1.5, datetime(2026, 1, 5, 15, 0, tzinfo=UTC))


def test_the_journal_holds_what_the_venue_did(venue, client):
    client.submit_order(market(10, client_order_id="c-1"))
    [order], [fill] = venue.book.journal.of("order"), venue.book.journal.of("fill")

    assert order["client_order_id"] == fill["client_order_id"] == "c-1"
    assert fill["qty"] * fill["price"] == Decimal(1000)
