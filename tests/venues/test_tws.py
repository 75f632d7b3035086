"""The stub speaks the TWS socket: shown with ib_insync."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from ib_insync import IB, LimitOrder, MarketOrder, Order, Stock, StopOrder, Trade

from tests.venues.faults import Fault
from tests.venues.tws import TwsStub, serving

AAPL = Stock("AAPL", "SMART", "USD")


@pytest.fixture
def venue() -> Iterator[TwsStub]:
    with serving(TwsStub()) as stub:
        stub.trade("AAPL", "100")
        yield stub


@pytest.fixture
async def ib(venue: TwsStub) -> AsyncIterator[IB]:
    ib = await connected(venue)
    yield ib
    ib.disconnect()


async def connected(venue: TwsStub, client_id: int = 1) -> IB:
    ib = IB()
    await ib.connectAsync("127.0.0.1", venue.port, clientId=client_id, timeout=5)
    return ib


def place(ib: IB, order: Order, reference: str = "r-1") -> Trade:
    order.orderRef = reference
    order.tif = order.tif or "DAY"
    return ib.placeOrder(AAPL, order)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is waited for happens in another thread)
            await asyncio.sleep(0.01)


def status(trade: Trade) -> str:
    return trade.orderStatus.status


async def test_the_account_and_a_contract_are_told(venue, ib):
    [details] = await ib.reqContractDetailsAsync(AAPL)

    assert {one.tag: one.value for one in ib.accountValues()}["TotalCashValue"] == "100000"
    assert (details.contract.symbol, details.minTick) == ("AAPL", 0.01)


async def test_an_order_fills_in_parts_each_with_its_commission(venue, ib):
    trade = place(ib, LimitOrder("BUY", 10, 99))
    await until(lambda: status(trade) == "Submitted")
    await asyncio.to_thread(venue.trade, "AAPL", "99", "4")
    await until(lambda: len(trade.fills) == 1)
    await asyncio.to_thread(venue.trade, "AAPL", "98")
    await until(lambda: len(trade.fills) == 2 and trade.fills[1].commissionReport.commission)

    assert status(trade) == "Filled"
    assert [(fill.execution.shares, fill.execution.price) for fill in trade.fills] == [(4.0, 99.0), (6.0, 98.0)]
    assert [fill.commissionReport.commission for fill in trade.fills] == [1.0, 1.0]
    assert [fill.execution.orderRef for fill in trade.fills] == ["r-1", "r-1"]


async def test_positions_are_told(venue, ib):
    trade = place(ib, MarketOrder("BUY", 10))
    await until(lambda: status(trade) == "Filled")

    [position] = await ib.reqPositionsAsync()
    assert (position.contract.symbol, position.position, position.avgCost) == ("AAPL", 10.0, 100.0)


async def test_a_cancelled_order_is_told_and_cancelling_it_again_is_an_error(venue, ib):
    errors: list[int] = []
    ib.errorEvent += lambda number, code, text, contract: errors.append(code)
    trade = place(ib, LimitOrder("BUY", 1, 90))
    await until(lambda: status(trade) == "Submitted")
    ib.cancelOrder(trade.order)
    await until(lambda: status(trade) == "Cancelled")
    ib.client.cancelOrder(trade.order.orderId)
    await until(lambda: 10148 in errors)

    assert errors == [202, 10148]


async def test_an_order_placed_again_under_its_number_is_changed(venue, ib):
    trade = place(ib, LimitOrder("BUY", 1, 90))
    await until(lambda: status(trade) == "Submitted")
    trade.order.lmtPrice = 101
    ib.placeOrder(AAPL, trade.order)
    await until(lambda: status(trade) == "Filled")

    assert len(venue.book.orders) == 1


async def test_a_bracket_is_sent_as_a_whole_and_one_exit_cancels_the_other(venue, ib):
    entry, target, stop = ib.bracketOrder("BUY", 5, limitPrice=100, takeProfitPrice=110, stopLossPrice=90)
    trades = [place(ib, order, f"r-{number}") for number, order in enumerate((entry, target, stop))]
    await until(lambda: status(trades[0]) == "Filled")
    await asyncio.to_thread(venue.trade, "AAPL", "110")
    await until(lambda: status(trades[2]) == "Cancelled")

    assert [status(trade) for trade in trades] == ["Filled", "Filled", "Cancelled"]


async def test_of_one_group_the_first_to_fill_cancels_the_others(venue, ib):
    orders = IB.oneCancelsAll([LimitOrder("BUY", 5, 99), StopOrder("BUY", 5, 105)], "group-1", 1)
    trades = [place(ib, order, f"r-{number}") for number, order in enumerate(orders)]
    await until(lambda: len(venue.book.orders) == 2)
    await asyncio.to_thread(venue.trade, "AAPL", "106")
    await until(lambda: status(trades[0]) == "Cancelled")

    assert status(trades[1]) == "Filled"


async def test_open_orders_outlive_the_connection_and_come_back_with_their_terms(venue):
    first = await connected(venue)
    trade = place(first, StopOrder("SELL", 3, 95, tif="GTC"))
    await until(lambda: status(trade) == "PreSubmitted" or status(trade) == "Submitted")
    first.disconnect()
    await until(lambda: not venue.clients)
    again = await connected(venue)
    [found] = again.openTrades()
    again.disconnect()

    order = found.order
    terms = (order.orderRef, order.action, order.totalQuantity, order.orderType, order.auxPrice, order.tif)
    assert terms == ("r-1", "SELL", 3.0, "STP", 95.0, "GTC")
    assert order.permId == trade.order.permId


async def test_executions_of_the_time_away_are_told_on_request(venue):
    first = await connected(venue)
    trade = place(first, LimitOrder("BUY", 2, 99))
    await until(lambda: status(trade) == "Submitted")
    first.disconnect()
    await until(lambda: not venue.clients)
    await asyncio.to_thread(venue.trade, "AAPL", "99")
    again = await connected(venue)
    executions = [fill.execution.orderRef for fill in again.fills()]
    again.disconnect()

    assert executions == ["r-1"]


async def test_a_client_id_that_is_taken_is_refused(venue, ib):
    errors: list[int] = []
    second = IB()
    second.errorEvent += lambda number, code, text, contract: errors.append(code)
    with pytest.raises((TimeoutError, ConnectionError)):
        await second.connectAsync("127.0.0.1", venue.port, clientId=1, timeout=1)

    assert errors == [326]


async def test_what_the_venue_refuses_comes_as_error_201(venue, ib):
    trade = place(ib, LimitOrder("BUY", 100_000, 99))
    await until(lambda: trade.log[-1].errorCode == 201)

    assert "insufficient buying power" in trade.log[-1].message


async def test_notices_reach_every_client(venue, ib):
    errors: list[int] = []
    ib.errorEvent += lambda number, code, text, contract: errors.append(code)
    await asyncio.to_thread(venue.call, venue.error, 1100, "Connectivity between IB and TWS has been lost.")
    await until(lambda: errors)

    assert errors == [1100]


async def test_an_order_can_be_swallowed(venue, ib):
    venue.faults.plan(Fault.SWALLOW, where="place")
    trade = place(ib, MarketOrder("BUY", 1))
    other = place(ib, MarketOrder("BUY", 1), "r-2")
    await until(lambda: status(other) == "Filled")

    assert status(trade) == "PendingSubmit"


async def test_five_second_bars_are_told(venue, ib):
    bars = ib.reqRealTimeBars(AAPL, 5, "TRADES", False)
    await until(lambda: any(client.bars for client in venue.clients))
    await asyncio.to_thread(venue.call, venue.five_second_bar, "AAPL", 1_767_625_200, (1.0, 2.0, 0.5, 1.5), 100)
    await until(lambda: bars)

    assert (bars[0].open_, bars[0].close, bars[0].volume) == (1.0, 1.5, 100.0)
