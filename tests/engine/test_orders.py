from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.builders import MINUTE, START, Script, bar, buy, engine, fill, sell, update
from trading.engine.errors import InvalidTransition, InvalidValue
from trading.engine.orders import FINAL_STATUSES, OPEN_STATUSES, TRANSITIONS, OrderStatus
from trading.engine.records import STATUS_AFTER, Kind
from trading.engine.risk import Denial
from trading.engine.updates import UpdateKind


def placed(*requests):
    machine = engine(Script(requests))
    effects = machine.on_bar(bar(100.0))
    for effect in effects:
        machine.on_submitted(effect.order)
    return machine, [effect.order for effect in effects]


def kinds(machine):
    return [record.kind for record in machine.records]


def test_every_status_is_open_or_final_or_new():
    assert OPEN_STATUSES | FINAL_STATUSES | {OrderStatus.INITIALIZED} == set(OrderStatus)


@given(st.sampled_from(OrderStatus), st.sampled_from(OrderStatus))
def test_an_order_goes_only_where_the_table_leads(start, end):
    _, (order,) = placed(buy(1))
    order.status = start
    if end in TRANSITIONS[start]:
        order.move_to(end)
        assert order.status is end
    else:
        with pytest.raises(InvalidTransition, match=f"from {start} to {end}"):
            order.move_to(end)


def test_an_order_lives_from_intent_to_fill():
    machine, (order,) = placed(buy(10))
    machine.on_update(update(UpdateKind.ACCEPTED, order, venue_order_id="v1"))
    machine.on_update(fill(order, 4, "100.5", "e1"))
    assert order.status is OrderStatus.PARTIALLY_FILLED
    machine.on_update(fill(order, 6, "101", "e2"))
    assert order.status is OrderStatus.FILLED
    assert order.avg_fill_price == Decimal("100.8")
    assert kinds(machine) == [
        Kind.ORDER_INTENDED,
        Kind.ORDER_SUBMITTED,
        Kind.ORDER_ACCEPTED,
        Kind.ORDER_FILLED,
        Kind.ORDER_FILLED,
    ]
    assert machine.open_orders() == []


def test_a_fill_before_its_acknowledgement_is_booked_and_the_late_acknowledgement_ignored():
    machine, (order,) = placed(buy(10))
    machine.on_update(fill(order, 10, "100", "e1"))
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    assert order.status is OrderStatus.FILLED
    assert machine.qty("SPY") == 10


def test_a_fill_told_twice_is_booked_once():
    machine, (order,) = placed(buy(10))
    for _ in range(3):
        machine.on_update(fill(order, 4, "100", "e1"))
    assert machine.qty("SPY") == 4
    assert machine.fills == 1


def test_a_fill_after_the_cancel_is_booked():
    machine, (order,) = placed(buy(10))
    machine.on_update(update(UpdateKind.CANCELLED, order))
    assert machine.open_orders() == []
    machine.on_update(fill(order, 10, "100", "late"))
    assert machine.qty("SPY") == 10
    assert order.status is OrderStatus.FILLED


def test_an_overfill_is_booked_and_halts_the_run():
    machine, (order,) = placed(buy(10))
    machine.on_update(fill(order, 10, "100", "e1"))
    machine.on_update(fill(order, 5, "100", "e2"))
    assert machine.qty("SPY") == 15
    assert machine.halted == "overfill"
    assert kinds(machine)[-1] == Kind.RISK_HALTED


def test_a_refused_cancel_restores_the_state_before():
    machine, (order,) = placed(buy(10, limit="90"))
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    machine.on_update(fill(order, 1, "90", "e1"))
    machine.cancel_open("test")
    assert order.status is OrderStatus.PENDING_CANCEL
    machine.on_update(update(UpdateKind.CANCEL_REFUSED, order))
    assert order.status is OrderStatus.PARTIALLY_FILLED


def test_an_unsent_intent_is_cancelled_without_asking_the_venue():
    machine = engine(Script([buy(1)]))
    (effect,) = machine.on_bar(bar(100.0))
    assert machine.cancel_open("kill") == []
    assert effect.order.status is OrderStatus.CANCELLED


def test_after_cancel_open_no_new_request_is_taken():
    machine = engine(Script([], [buy(1)]))
    machine.on_bar(bar(100.0))
    machine.cancel_open("stopping")
    assert machine.on_bar(bar(100.0, minute=1)) == []
    assert machine.records[-1].kind is Kind.ORDER_DENIED
    assert "stopping" in machine.records[-1].reason


def test_a_denied_order_never_becomes_an_effect():
    machine = engine(Script([buy(1)]), check=lambda order, context: Denial(code="no", message="not today"))
    assert machine.on_bar(bar(100.0)) == []
    assert machine.records[-1].reason == "no: not today"


def test_a_closing_order_signals_flat_and_opens_no_exposure():
    machine = engine(Script([buy(10)], [sell(10)], [sell(5)]))
    (effect,) = machine.on_bar(bar(100.0))
    machine.on_submitted(effect.order)
    machine.on_update(fill(effect.order, 10, "100", "e1"))
    (closing,) = machine.on_bar(bar(101.0, minute=1))
    assert closing.order.signal == "flat"
    assert closing.order.collateral == 0
    (further,) = machine.on_bar(bar(102.0, minute=2))
    assert further.order.collateral == 5 * 102


def test_committed_counts_what_open_orders_may_still_buy():
    machine, orders = placed(buy(10, limit="90"), buy(5, limit="80"))
    assert machine.committed == 10 * 90 + 5 * 80
    machine.on_update(fill(orders[0], 4, "90", "e1"))
    assert machine.committed == 6 * 90 + 5 * 80


def test_a_strategy_may_only_trade_its_universe():
    machine = engine(Script([buy(1, symbol="AAPL")]))
    with pytest.raises(InvalidValue, match="AAPL"):
        machine.on_bar(bar(100.0))


def test_an_update_for_a_stranger_is_an_error():
    machine = engine(Script())
    with pytest.raises(InvalidValue, match="who"):
        machine.on_update(update(UpdateKind.ACCEPTED, "who"))


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([kind for kind in UpdateKind if kind is not UpdateKind.FILL]), st.just("")),
        st.tuples(st.just(UpdateKind.FILL), st.sampled_from(["e1", "e2", "e3"])),
        st.just((None, "cancel")),
    ),
    max_size=14,
)


@given(EVENTS)
def test_whatever_a_venue_says_in_whatever_order_the_fills_decide_the_position(events):
    machine, (order,) = placed(buy(9))
    for kind, execution in events:
        if kind is None:
            machine.cancel_open("test")
        elif kind is UpdateKind.FILL:
            machine.on_update(fill(order, 3, "100", execution))
        else:
            machine.on_update(update(kind, order))
        assert bool(machine.open_orders()) == order.is_open
    executions = {execution for kind, execution in events if kind is UpdateKind.FILL}
    assert machine.qty("SPY") == 3 * len(executions)
    assert machine.cash == 100_000 - 300 * len(executions)
    assert (order.status is OrderStatus.FILLED) == (len(executions) == 3)


def test_an_order_of_unknown_fate_is_known_again_once_the_venue_acknowledges_it():
    machine, (order,) = placed(buy(1))
    machine.on_update(update(UpdateKind.UNKNOWN, order))
    machine.on_update(update(UpdateKind.ACCEPTED, order, venue_order_id="v1"))
    assert order.status is OrderStatus.ACCEPTED


def test_a_send_that_times_out_makes_no_doubt_of_what_the_venue_has_said():
    machine, (order,) = placed(buy(1))
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    machine.on_update(update(UpdateKind.UNKNOWN, order))
    assert order.status is OrderStatus.ACCEPTED


@pytest.mark.parametrize("said", [(), (UpdateKind.UNKNOWN,), (UpdateKind.ACCEPTED,)])
def test_a_refused_cancel_claims_nothing_that_the_venue_has_not_said(said):
    machine, (order,) = placed(buy(1, limit="90"))
    for kind in said:
        machine.on_update(update(kind, order))
    before = order.status
    machine.cancel_open("test")
    machine.on_update(update(UpdateKind.CANCEL_REFUSED, order))
    assert order.status is before


def test_an_acknowledgement_that_comes_while_the_cancel_is_under_way_is_not_forgotten():
    machine, (order,) = placed(buy(1, limit="90"))
    machine.cancel_open("test")
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    assert order.status is OrderStatus.PENDING_CANCEL
    machine.on_update(update(UpdateKind.CANCEL_REFUSED, order))
    assert order.status is OrderStatus.ACCEPTED


def test_a_part_that_fills_during_a_cancel_leaves_the_cancel_under_way():
    machine, (order,) = placed(buy(10, limit="90"))
    machine.cancel_open("test")
    machine.on_update(fill(order, 4, "90", "e1"))
    assert order.status is OrderStatus.PENDING_CANCEL
    machine.on_update(update(UpdateKind.CANCELLED, order))
    assert (order.status, order.filled_qty) == (OrderStatus.CANCELLED, 4)


def test_a_part_that_fills_after_the_cancel_does_not_revive_the_order():
    machine, (order,) = placed(buy(10))
    machine.on_update(update(UpdateKind.CANCELLED, order))
    machine.on_update(fill(order, 4, "100", "late"))
    assert order.status is OrderStatus.CANCELLED
    assert machine.records[-1].fill.order_status is OrderStatus.CANCELLED
    assert machine.qty("SPY") == 4


@pytest.mark.parametrize(("qty", "price", "execution"), [("NaN", "1", "e"), ("-1", "1", "e"), ("1", "Infinity", "e"),
                                                          ("1", "0", "e"), ("1", "1", "")])  # fmt: skip
def test_a_fill_that_cannot_be_is_refused_and_books_nothing(qty, price, execution):
    machine, (order,) = placed(buy(1))
    with pytest.raises(InvalidValue, match="cannot be"):
        machine.on_update(fill(order, qty, price, execution))
    assert (machine.cash, machine.qty("SPY"), order.status) == (100_000, 0, OrderStatus.SUBMITTED)


def test_requests_are_taken_after_what_is_open_was_withdrawn_but_never_after_a_halt():
    machine = engine(Script([], [buy(1)], [buy(1)]))
    machine.on_bar(bar(100.0))
    machine.withdraw("kill")
    assert machine.on_bar(bar(100.0, minute=1))
    machine.halt("overfill", "too much")
    machine.withdraw("kill")
    assert not machine.on_bar(bar(100.0, minute=2))


def test_statuses_named_by_records_are_the_tables():
    assert set(STATUS_AFTER.values()) <= set(OrderStatus)


def test_time_is_the_bars_own():
    machine, (order,) = placed(buy(1))
    assert order.created_at == START
    machine.on_bar(bar(100.0, minute=3))
    assert machine.now == START + 3 * MINUTE
