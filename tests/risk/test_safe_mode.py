"""Safe mode: a run that has broken a limit only reduces, until all is calm again or a person resumes it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.engine.builders import Script, buy, sell
from tests.risk.runs import CASH, DAY, MINUTE, at, breach, denials, made, minutes, orders, ran, story, traded
from trading.engine.effects import Cancel, Submit
from trading.engine.engine import Engine
from trading.engine.linked import bracket
from trading.engine.orders import OrderRequest, OrderStatus, OrderType, Side
from trading.engine.records import Kind
from trading.engine.updates import OrderUpdate, UpdateKind

D = Decimal
SAFE = {"on_breach": "safe_mode"}
LOSS = {"max_daily_loss": 100, **SAFE}


def test_a_run_in_safe_mode_goes_on_without_entries_and_with_exits() -> None:
    machine = traded(LOSS, minutes(10, 8, 8, 8, 8), [buy(100)], [], [buy(1)], [sell(40)])
    assert (story(machine), machine.halted, machine.bars) == (["risk.reducing"], "", 5)
    assert breach(machine) == ("max_daily_loss", D(200), D(100))
    assert denials(machine) == ["reducing"]
    assert machine.qty("SPY") == 60


def test_safe_mode_cancels_open_entries_and_leaves_open_exits() -> None:
    machine = traded(LOSS, minutes(10, 10, 8), [buy(100)], [buy(5, limit="5"), sell(100, limit="50")])
    entry, exit_ = [order for order in machine.orders.values() if order.type is OrderType.LIMIT]
    assert withdrawn(machine) == {entry.id: "max_daily_loss: the run only reduces", exit_.id: "the feed ended"}


def test_an_exit_that_has_become_an_entry_is_cancelled() -> None:
    machine = traded(LOSS, minutes(10, 10, 8, 8, 8, 8), [buy(100)], [sell(100, limit="50")], [], [sell_only(100)])
    resting = next(order for order in machine.orders.values() if order.limit_price == 50)
    assert (machine.qty("SPY"), resting.status) == (0, OrderStatus.CANCELLED)
    assert withdrawn(machine) == {resting.id: "max_daily_loss: the run only reduces"}


def test_of_two_exits_that_have_come_to_be_more_than_is_held_the_later_one_is_cancelled() -> None:
    exits = [sell(50, limit="50"), sell(50, limit="51")]
    machine = traded(LOSS, minutes(10, 10, 8, 8, 8, 8), [buy(100)], exits, [], [sell_only(50)])
    first, second = [order for order in machine.orders.values() if order.limit_price]
    assert withdrawn(machine) == {second.id: "max_daily_loss: the run only reduces", first.id: "the feed ended"}


def withdrawn(machine: Engine) -> dict[str, str]:
    """Orders that were cancelled, and why."""
    pending = (record for record in machine.records if record.kind is Kind.ORDER_PENDING_CANCEL)
    return {record.order.id: record.reason for record in pending if record.order is not None}


def sell_only(qty: int) -> OrderRequest:
    return msgspec.structs.replace(sell(qty), reduce_only=True)


def test_a_bracket_whose_entry_is_cancelled_goes_with_it() -> None:
    family = bracket(buy(10, limit="1"), take_profit=D(50), stop_loss=D("0.5"))
    machine = traded(LOSS, minutes(10, 10, 8, 8), [buy(100)], [family])
    assert [order.status for order in machine.orders.values() if order.limit_price or order.stop_price] == (
        [OrderStatus.CANCELLED] * 3
    )


def test_with_exit_positions_all_that_is_held_is_left_once_the_orders_in_its_way_are_gone() -> None:
    machine = traded(
        {**LOSS, "exit_positions": True},
        minutes(10, 10, 8, 8, 8),
        [buy(100)],
        [sell(100, limit="50")],
        fill="next_open",
    )
    resting, exit_ = list(machine.orders.values())[1:]
    assert (resting.status, exit_.status) == (OrderStatus.CANCELLED, OrderStatus.FILLED)
    assert (exit_.side, exit_.qty, exit_.reduce_only, exit_.type) == (Side.SELL, 100, True, OrderType.MARKET)
    assert exit_.reason == "lost 200.00 since 00:00 UTC, more than 100"
    assert machine.qty("SPY") == 0


def test_a_short_position_is_bought_back() -> None:
    machine = traded({**LOSS, "exit_positions": True}, minutes(10, 10, 12, 12), [sell(100)], fill="next_open")
    assert machine.qty("SPY") == 0
    assert [order.side for order in machine.orders.values()] == [Side.SELL, Side.BUY]


def test_a_run_trades_again_once_its_loss_is_calm() -> None:
    # 101 lost: it reduces. 91: not calm. 90, nine tenths: calm.
    prices = (10, 8.99, 9.09, 9.1, 9.1)
    machine = traded(LOSS, minutes(*prices), [buy(100)], [], [buy(1)], [], [buy(1)])
    assert story(machine) == ["risk.reducing", "risk.resumed"]
    assert (denials(machine), machine.qty("SPY")) == (["reducing"], 101)


def test_a_day_ends_with_its_losses() -> None:
    bars = [*minutes(10, 8, 8), at(DAY, 8), at(DAY + MINUTE, 8)]
    machine = traded(LOSS, bars, [buy(100)], [], [], [], [buy(1)])
    assert (story(machine), machine.qty("SPY")) == (["risk.reducing", "risk.resumed"], 101)


def test_one_that_a_person_is_to_resume_does_not_resume_itself() -> None:
    machine = traded({**LOSS, "resume": "manual"}, minutes(10, 8, 10, 10), [buy(100)], [], [], [buy(1)])
    assert (story(machine), machine.qty("SPY")) == (["risk.reducing"], 100)


def test_a_person_grants_each_limit_anew() -> None:
    limits = {**LOSS, "resume": "manual", "max_drawdown": "0.015", "max_symbol_loss": 150, "max_trades_per_day": 1}
    machine = made(Script([buy(100)]), {**limits, "max_minutes_in_position": 5})
    ran(machine, minutes(10, 8))
    assert machine.reducing is not None
    machine.renew()
    assert machine.reducing is None
    assert [(one.code, one.used) for one in machine.agent.in_flight.headroom(machine)] == [
        ("max_daily_loss", 0),
        ("max_drawdown", 0),
        ("max_symbol_loss", 0),
        ("max_trades_per_day", 0),
        ("max_minutes_in_position", 0),
    ]
    assert machine.agent.watch(machine, 9800.0) == ()
    assert machine.reducing is None


def test_how_a_run_stands_is_told_with_its_state() -> None:
    machine = traded(LOSS, minutes(10, 8), [buy(100)])
    report = machine.agent.report(machine)
    assert (report["mode"], report["why"]) == ("reducing", "lost 200.00 since 00:00 UTC, more than 100")
    assert report["headroom"] == [
        {"code": "max_daily_loss", "used": "200", "limit": "100", "unit": "money", "symbol": None}
    ]


# To flatten, step by step, at a venue that answers when it likes.


def holding(*steps: list[object]) -> Engine:
    """A run that holds 100, and has the orders of ``steps`` at the venue."""
    machine = made(Script([buy(100)], *steps), {})
    for number in range(1 + len(steps)):
        for effect in machine.on_bar(at(number * MINUTE, 10.0)):
            machine.on_submitted(effect.order)
            tell(machine, UpdateKind.ACCEPTED, effect.order.id)
        if not number:
            tell(machine, UpdateKind.FILL, "run-1", qty=D(100), price=D(10), execution_id="1")
    return machine


def tell(machine: Engine, kind: UpdateKind, order_id: str, **fields: object) -> None:
    machine.on_update(OrderUpdate(kind, order_id, machine.now, **fields))


def test_to_flatten_waits_for_the_cancels_of_what_could_close_the_position_too() -> None:
    machine = holding([sell(100, limit="20")])
    (cancel,) = machine.flatten("flatten")
    assert isinstance(cancel, Cancel)
    assert machine.go_on() == []
    tell(machine, UpdateKind.FILL, "run-2", qty=D(30), price=D(20), execution_id="2")
    assert machine.go_on() == []
    tell(machine, UpdateKind.CANCELLED, "run-2")
    (submit,) = machine.go_on()
    assert isinstance(submit, Submit)
    assert (submit.order.side, submit.order.qty, submit.order.reduce_only) == (Side.SELL, 70, True)
    assert machine.go_on() == []


def test_to_flatten_asks_anew_for_a_refused_cancel_and_a_rejected_exit_when_it_is_called_again() -> None:
    machine = holding([sell(100, limit="20")])
    machine.flatten("flatten")
    tell(machine, UpdateKind.CANCEL_REFUSED, "run-2")
    assert machine.go_on() == []
    assert [type(one) for one in machine.flatten("flatten")] == [Cancel]
    tell(machine, UpdateKind.CANCELLED, "run-2")
    (submit,) = machine.go_on()
    machine.on_submitted(submit.order)
    tell(machine, UpdateKind.REJECTED, submit.order.id)
    assert machine.go_on() == []
    (again,) = machine.flatten("flatten")
    assert again.order.qty == 100


def test_to_flatten_never_sends_a_second_exit_beside_the_first() -> None:
    machine = holding()
    (submit,) = machine.flatten("flatten")
    machine.on_submitted(submit.order)
    tell(machine, UpdateKind.FILL, submit.order.id, qty=D(40), price=D(10), execution_id="2")
    assert machine.flatten("flatten") == []
    tell(machine, UpdateKind.CANCELLED, submit.order.id)
    (rest,) = machine.flatten("flatten")
    assert rest.order.qty == 60


def test_a_run_that_takes_no_more_orders_can_be_flattened_but_one_that_drains_stops_to() -> None:
    machine = holding()
    machine.cancel_open("killed")
    (submit,) = machine.flatten("killed")
    machine.on_submitted(submit.order)
    assert [type(one) for one in machine.cancel_open("stopped")] == [Cancel]
    tell(machine, UpdateKind.CANCELLED, submit.order.id)
    assert machine.go_on() == ()
    assert machine.qty("SPY") == 100


@pytest.mark.parametrize("exits", [True, False])
def test_a_breach_while_an_order_is_at_the_venue_withdraws_it_and_its_late_fill_is_left_too(exits: bool) -> None:
    machine = made(Script([buy(100)], [buy(10, limit="9")]), {**LOSS, "exit_positions": exits})
    for number, close in enumerate((10.0, 10.0, 8.0)):
        for effect in machine.on_bar(at(number * MINUTE, close)):
            machine.on_submitted(effect.order)
        if not number:
            tell(machine, UpdateKind.FILL, "run-1", qty=D(100), price=D(10), execution_id="1")
    effects = machine.agent.watch(machine, machine.portfolio.approximate_equity)
    assert [one.order.id for one in effects if isinstance(one, Cancel)] == ["run-2"]
    tell(machine, UpdateKind.FILL, "run-2", qty=D(10), price=D(9), execution_id="2")
    (order,) = orders(machine, OrderStatus.FILLED)[1:]
    assert order.id == "run-2"
    assert [(one.order.side, one.order.qty) for one in machine.go_on()] == ([(Side.SELL, 110)] if exits else [])
    assert machine.equity < CASH
