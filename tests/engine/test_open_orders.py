"""What open orders may come to, against every order in which they can fill."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.builders import Script, bar, buy, engine, fill, sell, update
from trading.engine.linked import one_cancels_other
from trading.engine.orders import OrderRequest, OrderType, ReplaceRequest, Side
from trading.engine.updates import UpdateKind

D = Decimal


def stop(request: OrderRequest, price: str) -> OrderRequest:
    kind = OrderType.STOP if request.limit_price is None else OrderType.STOP_LIMIT
    return msgspec.structs.replace(request, type=kind, stop_price=D(price))


def holding(qty, *steps):
    """An engine that holds ``qty`` and has sent what the steps ask for, bar by bar."""
    first = [buy(qty)] if qty > 0 else [sell(-qty)] if qty < 0 else []
    machine = engine(Script(first, *steps))
    for minute in range(len(steps) + 1):
        for effect in machine.on_bar(bar(100.0, minute=minute)):
            orders = (effect.order, *effect.linked)
            machine.on_submitted(*orders)
            for order in orders:
                machine.on_update(update(UpdateKind.ACCEPTED, order))
            if minute == 0:
                machine.on_update(fill(effect.order, effect.order.qty, "100", "first"))
    return machine


def test_opposite_orders_count_for_the_greater_of_both():
    machine = holding(0, [buy(10, limit="90"), sell(5, limit="110")])
    assert machine.committed == 900


def test_an_order_that_would_close_what_another_may_close_first_is_counted():
    """Long 10 with two sells of 10: whichever comes second goes short."""
    machine = holding(10, [sell(10, limit="120")], [sell(10, limit="110")])
    assert [order.collateral for order in machine.open_orders()] == [0, 1200]
    second = machine.open_orders()[1]
    machine.on_update(fill(second, 10, "110", "e2"))
    assert machine.committed == 1200


def test_the_dearest_units_are_those_that_open():
    machine = holding(-10, [buy(10, limit="80"), buy(10, limit="95")])
    assert machine.committed == 950


def test_a_reduce_only_order_may_use_up_what_another_was_to_close():
    exit_ = msgspec.structs.replace(sell(10, limit="120"), reduce_only=True)
    machine = holding(10, [exit_], [sell(10, limit="110")])
    assert machine.committed == 1100
    assert machine.open_qty("SPY", Side.SELL) == 10


def test_what_an_alternative_has_filled_the_others_no_longer_add():
    machine = holding(0, [one_cancels_other(buy(10, limit="90"), buy(10, limit="80"))])
    first, _ = machine.open_orders()
    machine.on_update(fill(first, 4, "90", "e1"))
    assert machine.open_qty("SPY", Side.BUY) == 6
    assert machine.committed == 6 * 90


def test_what_replaces_an_alternative_counts_for_all_that_it_is_for():
    machine = holding(0, [one_cancels_other(buy(10, limit="90"), buy(10, limit="80"))])
    first, second = machine.open_orders()
    machine.on_update(fill(first, 4, "90", "e1"))
    machine.strategy.steps.append([ReplaceRequest(order_id=first.id, limit_price=D(91))])
    (effect,) = machine.on_bar(bar(100.0, minute=2))
    machine.on_submitted(effect.by)
    machine.on_update(update(UpdateKind.REPLACED, first))
    machine.on_update(update(UpdateKind.CANCELLED, second))
    assert machine.open_qty("SPY", Side.BUY) == 6
    assert machine.committed == 6 * 91


@pytest.mark.parametrize(
    ("order", "unit"),
    [
        (sell(10, limit="1"), 100),
        (sell(10, limit="120"), 120),
        (stop(sell(10), "90"), 100),
        (stop(sell(10, limit="1"), "120"), 120),
        (stop(buy(10), "1"), 100),
        (stop(buy(10), "110"), 110),
        (stop(buy(10, limit="112"), "110"), 112),
        (buy(10, limit="90"), 90),
    ],
)
def test_an_order_counts_at_the_dearest_price_that_it_may_trade_at(order, unit):
    """What is at the market's price already trades there, whatever its own price says."""
    assert holding(0, [order]).committed == 10 * unit


def test_nothing_is_committed_once_nothing_is_open():
    machine = holding(0, [buy("0.3", limit="90.01"), sell("0.7", limit="110.03"), buy(1)])
    for number, order in enumerate(machine.open_orders()):
        machine.on_update(fill(order, order.qty, "100", f"e{number}"))
    assert machine.committed == 0


ORDERS = st.tuples(st.sampled_from(Side), st.integers(1, 20), st.integers(50, 150))


def worst(held, orders):
    """The most that orders of one side may pay for what they open, over all orders in which they can fill."""
    most = 0
    for order in permutations(orders):
        cost, position = 0, held
        for _, qty, price in order:
            opened = max(position, 0)
            position += qty
            cost += (max(position, 0) - opened) * price
        most = max(most, cost)
    return most


@given(st.integers(-20, 20), st.lists(ORDERS, max_size=4))
def test_what_is_committed_covers_every_order_in_which_one_side_may_fill(held, orders):
    requests = [(buy if side is Side.BUY else sell)(qty, limit=str(price)) for side, qty, price in orders]
    machine = holding(held, requests)
    for side in Side:
        towards = held if side is Side.BUY else -held
        assert machine.committed >= worst(towards, [order for order in orders if order[0] is side])


@given(st.integers(-20, 20), st.lists(ORDERS, max_size=5), st.data())
def test_running_sums_are_those_of_the_orders_that_are_left(held, orders, data):
    requests = [(buy if side is Side.BUY else sell)(qty, limit=str(price)) for side, qty, price in orders]
    machine = holding(held, requests)
    for number, order in enumerate(machine.open_orders()):
        ending = data.draw(st.sampled_from(["open", "cancelled", "part"]))
        if ending == "cancelled":
            machine.on_update(update(UpdateKind.CANCELLED, order))
        elif ending == "part":
            machine.on_update(fill(order, D(order.qty) / 2, "100", f"p{number}"))
    for side in Side:
        left = sum(order.remaining_qty for order in machine.open_orders() if order.side is side)
        assert machine.open_qty("SPY", side) == left
    again = holding(0)
    again.portfolio.positions["SPY"].qty = machine.qty("SPY")
    for order in machine.open_orders():
        again.open.add(order)
    assert machine.committed == pytest.approx(again.committed)
