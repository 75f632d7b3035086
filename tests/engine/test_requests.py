"""What a strategy may ask for beside plain orders, and what the engine makes of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.engine.builders import MINUTE, START, Script, allow, bar, buy, engine, fill, sell, update
from trading.engine.effects import Cancel, Replace, Submit
from trading.engine.errors import InvalidValue
from trading.engine.linked import bracket, one_cancels_other, one_triggers_other
from trading.engine.orders import CancelRequest, OrderStatus, OrderType, ReplaceRequest, Side
from trading.engine.records import Kind
from trading.engine.risk import Denial
from trading.engine.strategy import IStrategy
from trading.engine.updates import CashUpdate, ExternalOrder, UpdateKind

D = Decimal


def send(machine, effects):
    """Let all of it leave, and the venue accept it."""
    for effect in effects:
        if isinstance(effect, Submit | Replace):
            orders = (effect.by,) if isinstance(effect, Replace) else (effect.order, *effect.linked)
            machine.on_submitted(*orders)
            for order in orders:
                machine.on_update(update(UpdateKind.ACCEPTED, order))
    return effects


def working(*steps, first=None):
    """An engine whose first request works at the venue, and its order."""
    machine = engine(Script([first or buy(10, limit="90")], *steps))
    (submit,) = send(machine, machine.on_bar(bar(100.0)))
    return machine, submit.order


def last(machine):
    return machine.records[-1]


def test_a_bracket_leaves_in_one_piece_and_its_exits_wait_for_the_entry():
    machine = engine(Script([bracket(buy(10, limit="100"), D(110), D(95))]))
    (submit,) = machine.on_bar(bar(100.0))
    target, stop = submit.linked
    entry = submit.order
    assert (target.type, target.limit_price, target.side) == (OrderType.LIMIT, D(110), Side.SELL)
    assert (stop.type, stop.stop_price, stop.reduce_only) == (OrderType.STOP, D(95), True)
    assert target.parent_id == stop.parent_id == entry.id
    assert target.group == stop.group != ""
    assert (entry.parent_id, entry.group) == ("", "")
    assert [record.kind for record in machine.records] == [Kind.ORDER_INTENDED] * 3
    assert (entry.collateral, target.collateral, stop.collateral) == (1000, 0, 0)


def test_alternatives_share_a_group_and_count_once():
    machine = engine(Script([one_cancels_other(buy(10, limit="90"), buy(10, limit="95"))]))
    (submit,) = machine.on_bar(bar(100.0))
    (other,) = submit.linked
    assert submit.order.group == other.group == submit.order.id
    assert machine.open_qty("SPY", Side.BUY) == 10
    assert machine.committed == 950


def test_linked_orders_may_have_linked_orders():
    entry = one_triggers_other(buy(5, limit="99"), bracket(buy(5, limit="98"), D(110), D(90)))
    machine = engine(Script([one_cancels_other(entry, sell(5, limit="120"))]))
    (submit,) = machine.on_bar(bar(100.0))
    first, other, second, target, stop = submit.order, *submit.linked
    assert other.group == first.group == first.id
    assert (second.parent_id, second.group) == (first.id, second.id)
    assert target.parent_id == stop.parent_id == second.id
    assert target.group == stop.group == target.id


def test_one_denied_order_denies_all_that_are_linked_with_it():
    def no_stops(order, context):
        return Denial(code="no_stops", message="no stops today") if order.type is OrderType.STOP else None

    machine = engine(Script([bracket(buy(10), D(110), D(95))]), check=no_stops)
    assert machine.on_bar(bar(100.0)) == []
    assert [(record.kind, record.data["code"]) for record in machine.records] == [
        (Kind.ORDER_DENIED, "linked"),
        (Kind.ORDER_DENIED, "linked"),
        (Kind.ORDER_DENIED, "no_stops"),
    ]
    assert machine.open_orders() == []
    assert machine.committed == 0


def test_each_linked_order_is_checked_with_those_before_it_counted():
    seen = []

    def look(order, context):
        seen.append((order.qty, len(context.open_orders()), context.committed))

    machine = engine(Script([one_triggers_other(buy(2, limit="100"), buy(1, limit="90"))]), check=look)
    machine.on_bar(bar(100.0))
    assert seen == [(2, 0, 0), (1, 1, 200)]


def test_linked_orders_that_the_gate_withholds_are_denied_together():
    machine = engine(Script([bracket(buy(10), D(110), D(95))]))
    (submit,) = machine.on_bar(bar(100.0))
    machine.on_withheld(submit.order, Denial(code="kill_engaged", message="no"), *submit.linked)
    assert {order.status for order in (submit.order, *submit.linked)} == {OrderStatus.DENIED}
    assert machine.open_orders() == []


def test_a_strategy_cancels_its_own_order():
    machine, order = working([CancelRequest("run-1", "too old")])
    assert machine.on_bar(bar(100.0, minute=1)) == [Cancel(order)]
    assert order.status is OrderStatus.PENDING_CANCEL
    assert (last(machine).kind, last(machine).reason) == (Kind.ORDER_PENDING_CANCEL, "too old")
    machine.on_update(update(UpdateKind.CANCELLED, order, minute=1))
    assert machine.open_orders() == []


def test_a_cancel_that_comes_too_late_is_recorded_and_asks_nobody():
    machine, order = working([CancelRequest("run-1")])
    machine.on_update(fill(order, 10, "90", "e1"))
    assert machine.on_bar(bar(100.0, minute=1)) == []
    assert (last(machine).kind, last(machine).reason) == (Kind.ORDER_CANCEL_REFUSED, "the order is filled already")
    assert order.status is OrderStatus.FILLED


def test_a_second_cancel_leaves_the_first_to_its_work():
    machine, order = working([CancelRequest("run-1")], [CancelRequest("run-1")])
    machine.on_bar(bar(100.0, minute=1))
    known = len(machine.records)
    assert machine.on_bar(bar(100.0, minute=2)) == []
    assert len(machine.records) == known
    assert order.status is OrderStatus.PENDING_CANCEL


@pytest.mark.parametrize("request_", [CancelRequest("run-9"), ReplaceRequest(order_id="run-9", qty=D(1))])
def test_a_strategy_changes_no_order_but_its_own(request_):
    machine, _ = working([request_])
    with pytest.raises(InvalidValue, match="run-9"):
        machine.on_bar(bar(100.0, minute=1))


class TimerThenBar(IStrategy):
    """Orders by timer and cancels that order at the same bar, before it was sent."""

    def __init__(self, request_):
        self.request = request_

    def on_bar(self, bar, context):
        if bar.time == START:
            context.set_timer("order", START + MINUTE)
            return []
        return [CancelRequest("run-1")]

    def on_timer(self, name, context):
        return [self.request]


def test_an_order_that_is_cancelled_before_it_was_sent_never_leaves():
    machine = engine(TimerThenBar(bracket(buy(10), D(110), D(95))))
    machine.on_bar(bar(100.0))
    assert machine.on_bar(bar(100.0, minute=1)) == []
    assert [record.kind for record in machine.records][3:] == [Kind.ORDER_CANCELLED] * 3
    assert machine.open_orders() == []


def test_the_alternative_of_an_order_that_was_cancelled_before_it_was_sent_leaves():
    machine = engine(TimerThenBar(one_cancels_other(buy(10, limit="90"), buy(10, limit="80"))))
    machine.on_bar(bar(100.0))
    (submit,) = machine.on_bar(bar(100.0, minute=1))
    assert (submit.order.limit_price, submit.linked) == (D(80), ())


def test_a_replace_puts_other_terms_in_an_orders_place_in_one_step():
    machine, old = working([ReplaceRequest(order_id="run-1", limit_price=D(95))])
    machine.on_update(fill(old, 4, "90", "e1"))
    (replace,) = send(machine, machine.on_bar(bar(100.0, minute=1)))
    new = replace.by
    assert replace.order is old
    assert (new.qty, new.limit_price, new.replaces, new.time_in_force) == (6, 95, old.id, old.time_in_force)
    machine.on_update(update(UpdateKind.REPLACED, old, minute=1))
    assert (old.status, machine.open_orders()) == (OrderStatus.REPLACED, [new])
    assert machine.committed == 6 * 95


def test_a_replace_is_checked_with_the_old_order_not_counted():
    seen = []

    def look(order, context):
        seen.append((context.committed, len(context.open_orders())))

    machine = engine(Script([buy(10, limit="90")], [ReplaceRequest(order_id="run-1", qty=D(12))]), check=look)
    send(machine, machine.on_bar(bar(100.0)))
    machine.on_bar(bar(100.0, minute=1))
    assert seen == [(0, 0), (0, 0)]


def test_a_refused_replace_rejects_the_new_order_and_the_old_one_lives():
    machine, old = working([ReplaceRequest(order_id="run-1", qty=D(3))])
    (replace,) = machine.on_bar(bar(100.0, minute=1))
    machine.on_submitted(replace.by)
    machine.on_update(update(UpdateKind.REJECTED, replace.by, reason="too late"))
    assert replace.by.status is OrderStatus.REJECTED
    assert (old.status, machine.open_orders()) == (OrderStatus.ACCEPTED, [old])


def test_an_order_that_has_ended_cannot_be_replaced():
    machine, order = working([ReplaceRequest(order_id="run-1", qty=D(3))])
    machine.on_update(fill(order, 10, "90", "e1"))
    assert machine.on_bar(bar(100.0, minute=1)) == []
    assert last(machine).kind is Kind.ORDER_DENIED
    assert last(machine).data["code"] == "not_replaceable"


def test_a_replaced_child_waits_for_the_same_parent():
    machine = engine(
        Script([bracket(buy(10), D(110), D(95))], [ReplaceRequest(order_id="run-3", stop_price=D(97))]), check=allow
    )
    send(machine, machine.on_bar(bar(100.0)))
    (replace,) = machine.on_bar(bar(100.0, minute=1))
    assert (replace.by.parent_id, replace.by.group) == (replace.order.parent_id, replace.order.group)
    assert (replace.by.reduce_only, replace.by.stop_price) == (True, 97)


class Alarm(IStrategy):
    def __init__(self, every=0, at=START + 3 * MINUTE):
        self.every, self.at, self.calls = every, at, []

    def on_bar(self, bar, context):
        if not self.calls:
            context.set_timer("alarm", self.at, self.every)
        self.calls.append(("bar", (bar.time - START) // MINUTE))
        return []

    def on_timer(self, name, context):
        self.calls.append((name, (context.now - START) // MINUTE))
        return [buy(1)]


def calls(strategy, minutes):
    machine = engine(strategy)
    effects = [machine.on_bar(bar(100.0, minute=minute)) for minute in minutes]
    return [call for call in strategy.calls if call[0] == "alarm"], effects, machine


def test_a_timer_is_heard_once_before_the_bar_that_reaches_its_time():
    strategy = Alarm()
    heard, effects, _ = calls(strategy, [0, 2, 4, 5])
    assert heard == [("alarm", 4)]
    assert strategy.calls.index(("alarm", 4)) < strategy.calls.index(("bar", 4))
    assert [len(each) for each in effects] == [0, 0, 1, 0]


def test_a_timer_that_repeats_makes_one_call_for_times_that_passed_between_two_bars():
    heard, _, machine = calls(Alarm(every=2 * MINUTE), [0, 3, 4, 5, 11, 12, 13])
    assert [minute for _, minute in heard] == [3, 5, 11, 13]
    assert machine.timers.saved() == {"alarm": [START + 15 * MINUTE, 2 * MINUTE]}


def test_a_cancelled_timer_is_not_heard():
    machine = engine(Script())
    machine.set_timer("a", START)
    machine.cancel_timer("a")
    machine.cancel_timer("never set")
    assert machine.on_bar(bar(100.0)) == ()


def test_a_timer_in_negative_time_is_refused():
    with pytest.raises(InvalidValue, match="'a'"):
        engine(Script()).set_timer("a", 5, every=-1)


def test_what_the_venue_does_by_itself_is_an_order_of_the_run():
    machine = engine(Script([CancelRequest("ex-1")]))
    told = ExternalOrder("ex-1", START, sell(3), "v9", "margin call")
    machine.on_update(told)
    machine.on_update(told)
    (order,) = machine.open_orders()
    assert (order.external, order.status, order.reason) == (True, OrderStatus.ACCEPTED, "margin call")
    assert [record.kind for record in machine.records] == [Kind.ORDER_EXTERNAL]
    with pytest.raises(InvalidValue, match="none of its own"):
        machine.on_bar(bar(100.0))
    machine.on_update(fill("ex-1", 3, "101", "e1"))
    assert (machine.qty("SPY"), machine.cash, machine.open_orders()) == (-3, 100_303, [])


def test_an_option_may_end_at_a_price_of_zero_and_the_underlying_may_come_from_nowhere():
    machine = engine(Script())
    machine.on_update(ExternalOrder("ex-1", START, buy(3, "GLD")))
    machine.on_update(fill("ex-1", 3, "0", "e1"))
    assert machine.qty("GLD") == 3
    assert machine.cash == 100_000


def test_money_without_a_fill_changes_the_cash_and_is_recorded():
    machine = engine(Script())
    machine.on_update(CashUpdate("dividend", D("12.34"), START, "SPY", "a dividend"))
    machine.on_update(CashUpdate("borrow", D("-2"), START, "SPY"))
    assert machine.cash == machine.equity == D("100010.34")
    assert machine.portfolio.approximate_equity == pytest.approx(100_010.34)
    assert [record.kind for record in machine.records] == [Kind.CASH] * 2
    assert last(machine).data == {"code": "borrow", "amount": "-2", "symbol": "SPY", "cash": "100010.34"}


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_money_that_is_no_amount_is_refused_and_books_nothing(amount):
    machine = engine(Script())
    with pytest.raises(InvalidValue, match="interest"):
        machine.on_update(CashUpdate("interest", D(amount), START))
    assert machine.cash == 100_000


def test_an_option_is_worth_its_multiplier():
    symbol = "TWX140621C00070000"
    machine = engine(Script([buy(2, symbol)]), universe=(symbol, "TWX"))
    (submit,) = send(machine, machine.on_bar(bar(1.5, symbol=symbol)))
    assert submit.order.collateral == 300
    machine.on_update(fill(submit.order, 2, "1.5", "e1", fee="1"))
    machine.on_bar(bar(1.75, symbol=symbol, minute=1))
    position = machine.position(symbol)
    assert (machine.cash, position.cost, position.avg_price) == (99_699, 300, D("1.5"))
    assert (machine.equity, position.unrealized_pnl) == (100_049, 50)
    assert machine.portfolio.approximate_equity == pytest.approx(100_049)


def test_a_reduce_only_order_ties_up_nothing():
    machine = engine(Script([msgspec.structs.replace(sell(10), reduce_only=True)]))
    (submit,) = machine.on_bar(bar(100.0))
    assert (submit.order.collateral, machine.committed) == (0, 0)
