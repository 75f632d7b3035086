from decimal import Decimal

import msgspec
import pytest

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import MINUTE, Script, bar, buy, engine, sell
from trading.backtest import Curve, drive
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRequest, OrderStatus, Side, TimeInForce
from trading.engine.records import Kind, ledger_hash


def run(bars, *steps, venue=None, cash="100000", universe=("SPY",)):
    machine, curve = engine(Script(*steps), cash=cash, universe=universe), Curve()
    drive(machine, venue or SimulatedBrokerage(starting_cash=cash), bars, curve)
    return machine, curve


def fills(machine):
    return [
        (record.order.symbol, record.fill.price, record.time)
        for record in machine.records
        if record.kind is Kind.ORDER_FILLED
    ]


def test_by_default_an_order_fills_at_the_next_open():
    bars = [bar(100.0), bar(102.0, open=101.0, minute=1)]
    machine, curve = run(bars, [buy(10)])
    assert fills(machine) == [("SPY", Decimal("101.0"), bars[1].time)]
    assert list(curve.equity) == [100_000.0, 100_010.0]


def test_same_close_fills_at_the_close_that_decided():
    bars = [bar(100.0), bar(102.0, open=101.0, minute=1)]
    machine, _ = run(bars, [buy(10)], venue=SimulatedBrokerage(fill="same_close"))
    assert fills(machine) == [("SPY", Decimal("100.0"), bars[0].time)]


def test_an_order_waits_for_the_next_bar_of_its_own_symbol():
    bars = [
        bar(100.0, symbol="SPY"),
        bar(15.0, minute=0, symbol="BAC"),
        bar(15.5, minute=1, symbol="BAC"),
        bar(101.0, minute=2, symbol="SPY"),
    ]
    machine, _ = run(bars, [buy(1)], universe=("SPY", "BAC"))
    assert fills(machine) == [("SPY", Decimal("101.0"), bars[3].time)]


def test_an_order_pending_at_the_end_of_the_feed_is_cancelled_not_filled():
    machine, _ = run([bar(100.0)], [buy(1)])
    assert fills(machine) == []
    assert machine.records[-1].kind is Kind.ORDER_CANCELLED
    assert machine.open_orders() == []


def test_a_day_order_expires_on_the_next_trading_day():
    request = OrderRequest(symbol="SPY", side=Side.BUY, qty=Decimal(1), time_in_force=TimeInForce.DAY)
    day = 24 * 60
    machine, _ = run([bar(100.0), bar(100.0, minute=day)], [request])
    assert fills(machine) == []
    assert [record.kind for record in machine.records][-1] is Kind.ORDER_EXPIRED


def test_latency_keeps_an_order_out_of_an_open_that_came_too_soon():
    venue = SimulatedBrokerage(latency_ms=500)
    venue.interval = MINUTE
    bars = [bar(100.0), bar(101.0, minute=1), bar(102.0, minute=2)]
    machine, _ = run(bars, [buy(1)], venue=venue)
    assert fills(machine) == [("SPY", Decimal("102.0"), bars[2].time)]


def test_fees_are_paid_from_cash():
    machine, _ = run([bar(100.0), bar(100.0, minute=1)], [buy(10)], venue=SimulatedBrokerage(fees={"per_order": "1"}))
    assert machine.cash == Decimal("98999")


def test_the_venues_own_books_agree_with_the_engines():
    venue = SimulatedBrokerage()
    bars = [bar(100.0 + minute, minute=minute) for minute in range(4)]
    machine, _ = run(bars, [buy(10)], [sell(4)], [buy(1)], venue=venue)
    (position,) = venue.query_positions()
    assert position.qty == machine.qty("SPY") == 7
    assert venue.query_account().cash == machine.cash
    assert venue.query_account().equity == machine.equity


def test_cancelling_what_is_not_there_is_refused():
    venue = SimulatedBrokerage()
    machine = engine(Script([buy(1, limit="90")]))
    (effect,) = machine.on_bar(bar(100.0))
    machine.on_submitted(effect.order)
    venue.submit_order(effect.order)
    assert venue.cancel_all() == 1
    venue.cancel_order(effect.order)
    kinds = [update.kind for update in venue.drain_updates()]
    assert kinds == ["accepted", "cancelled", "cancel_refused"]
    assert effect.order.status is OrderStatus.SUBMITTED


@pytest.mark.parametrize(("fill", "price", "number"), [("next_open", "60.0", 4), ("same_close", "58.0", 2)])
def test_no_order_trades_at_an_open_that_came_before_its_decision(fill, price, number):
    """What the bar from 9:00 to 10:00 says was not known at 9:30, though the bar from 9:30 comes after it."""
    venue = SimulatedBrokerage(fill=fill)
    venue.interval = 60 * MINUTE
    bars = [
        bar(50.0, symbol="BAC", minute=-30),
        bar(100.0, symbol="SPY", minute=0),
        bar(58.0, symbol="BAC", minute=30, open=50.0),
        bar(100.0, symbol="SPY", minute=60),
        bar(60.0, symbol="BAC", minute=90),
    ]
    machine, _ = run(bars, [], [buy(1, "BAC")], venue=venue, universe=("SPY", "BAC"))
    assert fills(machine) == [("BAC", Decimal(price), bars[number].time)]


def test_with_fills_at_the_same_close_an_auction_order_still_waits_for_its_auction():
    orders = [
        OrderRequest(symbol="BAC", side=Side.BUY, qty=Decimal(1), time_in_force=auction)
        for auction in (TimeInForce.OPG, TimeInForce.CLS)
    ]
    venue = SimulatedBrokerage(fill="same_close")
    venue.interval = MINUTE
    bars = [bar(50.0, symbol="BAC", minute=-1), bar(100.0), bar(50.0, symbol="BAC"), bar(50.0, symbol="BAC", minute=1)]
    machine, _ = run(bars, [], orders, venue=venue, universe=("SPY", "BAC"))
    assert fills(machine) == []


def test_a_cash_account_never_goes_short_whatever_closes_its_position_first():
    """A reduce-only order always passes, also where a sale that rests was to close what it closes."""
    exit_ = msgspec.structs.replace(sell(10), reduce_only=True)
    bars = [bar(price, minute=minute) for minute, price in enumerate([100.0, 100.0, 100.0, 120.0])]
    machine, _ = run(bars, [buy(10)], [sell(10, limit="110"), exit_], venue=SimulatedBrokerage(account="cash"))
    _, target, market = machine.orders.values()
    assert (market.status, target.status) == (OrderStatus.FILLED, OrderStatus.CANCELLED)
    assert machine.qty("SPY") == 0


def test_the_same_bars_give_the_same_hash_and_other_bars_another():
    bars = [bar(100.0 + minute % 3, minute=minute) for minute in range(6)]
    first, _ = run(bars, [buy(1)], [], [sell(1)])
    again, _ = run(bars, [buy(1)], [], [sell(1)])
    other, _ = run(bars[1:], [buy(1)], [], [sell(1)])
    assert ledger_hash(first.records) == ledger_hash(again.records) != ledger_hash(other.records)


@pytest.mark.parametrize(
    ("kwargs", "name"),
    [
        ({"fees": {"per_lot": 1}}, "fees.per_lot"),
        ({"slippage": {"bps": -1}}, "slippage.bps"),
        ({"starting_cash": 0}, "starting_cash"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"fill": "tomorrow"}, "tomorrow"),
        ({"hours": "night"}, "night"),
        ({"account": "offshore"}, "offshore"),
        ({"borrow_rate": {"SPY": -1}}, "borrow_rate.SPY"),
        ({"interest": {"credit": "much"}}, "interest.credit"),
    ],
)
def test_a_wrong_setting_is_named(kwargs, name):
    with pytest.raises((InvalidValue, ValueError), match=name.replace(".", r"\.")):
        SimulatedBrokerage(**kwargs)
