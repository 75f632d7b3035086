"""Breakouts: entries by the channel, exits held by the venue."""

from decimal import Decimal

import pytest

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import MINUTE, START, bar, engine
from trading.backtest import Curve, drive
from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderStatus, OrderType, Side
from trading.engine.records import Kind
from trading.strategies.breakout import BreakoutStrategy


def ranged(*closes):
    """Bars of one dollar's range around each close, a minute apart, each opening where the last one closed."""
    return [
        Bar("SPY", START + n * MINUTE, close, close + 0.5, close - 0.5, close, 1000.0) for n, close in enumerate(closes)
    ]


def strategy(**kwargs):
    return BreakoutStrategy(**{"channel": 3, "atr": 3, "stop_atr": 2.0, "target_atr": 4.0, "quantity": 10, **kwargs})


def ran(bars, **kwargs):
    machine = engine(strategy(**kwargs))
    drive(machine, SimulatedBrokerage(), bars, Curve())
    return machine


def filled(machine):
    return [
        (record.order.side, record.order.type, float(record.fill.price))
        for record in machine.records
        if record.kind is Kind.ORDER_FILLED
    ]


def test_a_close_above_the_channel_is_bought_with_a_stop_and_a_target():
    """Ranges 1, 1 and 103 + 0.5 - 100 = 3.5: the average is 5.5 / 3, so the exits lie 3.67 and 7.33 from 103."""
    machine = engine(strategy())
    for one in ranged(100.0, 100.0, 100.0):
        assert not machine.on_bar(one)
    (effect,) = machine.on_bar(ranged(100.0, 100.0, 100.0, 103.0)[3])
    target, stop = effect.linked
    assert (effect.order.side, effect.order.type, effect.order.qty) == (Side.BUY, OrderType.MARKET, 10)
    assert (target.type, target.limit_price) == (OrderType.LIMIT, Decimal("110.33"))
    assert (stop.type, stop.stop_price) == (OrderType.STOP, Decimal("99.33"))
    assert {target.side, stop.side} == {Side.SELL}
    assert target.group == stop.group and target.parent_id == stop.parent_id == effect.order.id


def test_the_high_of_the_channel_itself_is_no_breakout():
    assert not ran(ranged(100.0, 100.0, 100.0, 100.5, 100.5)).orders


@pytest.mark.parametrize(
    ("after", "exit_", "price"),
    [([98.0], OrderType.STOP, 98.0), ([101.0, 99.5], OrderType.STOP, 99.33), ([112.0], OrderType.LIMIT, 112.0)],
)
def test_one_exit_ends_the_trade_and_the_other_order(after, exit_, price):
    machine = ran(ranged(100.0, 100.0, 100.0, 103.0, 103.0, *after))
    assert filled(machine) == [(Side.BUY, OrderType.MARKET, 103.0), (Side.SELL, exit_, price)]
    statuses = [order.status for order in machine.orders.values()][:3]
    assert sorted(statuses) == [OrderStatus.CANCELLED, OrderStatus.FILLED, OrderStatus.FILLED]
    assert machine.qty("SPY") == 0


def test_while_the_trade_is_on_no_other_is_begun():
    machine = ran(ranged(100.0, 100.0, 100.0, 103.0, 104.0, 105.0, 106.0))
    assert len(machine.orders) == 3


def test_a_close_below_the_channel_is_sold_only_where_that_is_allowed():
    bars = ranged(100.0, 100.0, 100.0, 97.0, 97.0)
    assert not ran(bars).orders
    assert filled(ran(bars, allow_short=True)) == [(Side.SELL, OrderType.MARKET, 97.0)]


def test_a_price_that_stands_still_gives_no_distance_for_a_stop():
    assert not ran([bar(100.0, minute=minute) for minute in range(20)]).orders


@pytest.mark.parametrize("field", ["channel", "atr", "stop_atr", "target_atr", "quantity"])
def test_a_wrong_setting_is_named(field):
    with pytest.raises(InvalidValue, match=field):
        BreakoutStrategy(**{field: 0})
