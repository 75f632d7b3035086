from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import bar, buy, engine
from trading.backtest import Curve, drive
from trading.engine.orders import OrderRecord, OrderStatus, Side
from trading.engine.quoting import keep_quote, outward, withdraw
from trading.engine.records import Kind
from trading.engine.strategy import IStrategy


class Quoter(IStrategy):
    """Does what it is told, bar after bar: a price and a size to bid for, or requests."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def on_bar(self, bar, context):
        step = self.steps.pop(0)
        if isinstance(step, list):
            return step
        return keep_quote("SPY", Side.BUY, Decimal(step[0]), Decimal(step[1]), context)


def quoted(*steps):
    """What rests after as many bars as there are steps, and the kinds of all records."""
    resting = []

    def watch(run, equity):
        resting[:] = [(order.limit_price, order.remaining_qty) for order in run.open_orders("SPY")]

    run = engine(Quoter(*steps), watch=watch)
    drive(run, SimulatedBrokerage(), [bar(100, minute=minute) for minute in range(len(steps))], Curve())
    return resting, [record.kind for record in run.records]


def test_a_quote_is_placed_once_and_left_where_it_is_right():
    resting, kinds = quoted(("99", 5), ("99", 5), ("99", 5))
    assert resting == [(Decimal(99), Decimal(5))]
    assert kinds.count(Kind.ORDER_INTENDED) == 1


def test_a_quote_at_another_price_or_size_takes_the_place_of_the_old_one():
    resting, kinds = quoted(("99", 5), ("98.5", 5), ("98.5", 7))
    assert resting == [(Decimal("98.5"), Decimal(7))]
    assert kinds.count(Kind.ORDER_REPLACED) == 2


def test_a_quote_that_is_not_wanted_is_withdrawn():
    resting, kinds = quoted(("99", 5), ("99", 0))
    assert resting == []
    assert Kind.ORDER_CANCELLED in kinds


def test_of_several_quotes_the_oldest_stays():
    resting, _ = quoted([buy(5, limit="99"), buy(5, limit="98")], ("99", 5))
    assert resting == [(Decimal(99), Decimal(5))]


def test_a_quote_that_the_venue_has_not_answered_for_is_let_be():
    run = engine(Quoter(("99", 5), ("98", 5)))
    assert len(run.on_bar(bar(100))) == 1
    assert not run.on_bar(bar(100, minute=1))


def test_orders_that_the_venue_introduced_are_not_the_strategys_to_cancel():
    order = OrderRecord(
        id="x",
        client_order_id="x",
        symbol="SPY",
        side=Side.SELL,
        qty=Decimal(1),
        type="market",
        time_in_force="day",
        limit_price=None,
        created_at=0,
        signal="sell",
        external=True,
        status=OrderStatus.ACCEPTED,
    )
    assert withdraw([order], "over") == []


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "10.2"), (Side.SELL, "10.3")])
def test_a_price_between_ticks_is_moved_away_from_the_market(side, price):
    assert outward(10.25, Decimal("0.1"), side) == Decimal(price)


@given(st.integers(1, 10**7), st.sampled_from(list(Side)))
def test_a_price_on_a_tick_stays_there(cents, side):
    assert outward(cents / 100, Decimal("0.01"), side) == Decimal(cents) / 100
