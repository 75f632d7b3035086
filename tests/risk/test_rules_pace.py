"""How fast and how often a run may send orders."""

from __future__ import annotations

import pytest

from tests.engine.builders import bar, buy, sell
from tests.risk.trading import D, Trader
from trading.engine.linked import one_cancels_other
from trading.engine.orders import CancelRequest, OrderRequest, OrderStatus
from trading.engine.risk import Denial
from trading.engine.updates import UpdateKind


def test_a_second_has_room_for_so_many_orders_and_a_later_one_for_more() -> None:
    run = Trader(max_orders_per_second=2)
    assert len(run.ask(buy(1), buy(2), buy(3))) == 2
    assert (run.code, run.denied["figure"], run.denied["limit"]) == ("max_orders_per_second", "3", "2")
    run.later(0.999)
    assert not run.ask(buy(4))
    run.later(0.001)
    assert run.ask(buy(5))


def test_a_minute_has_room_for_so_many_orders() -> None:
    run = Trader(max_orders_per_minute=2)
    run.ask(buy(1))
    run.later(30)
    run.ask(buy(2))
    run.later(29)
    assert not run.ask(buy(3))
    assert run.code == "max_orders_per_minute"
    run.later(1)
    assert run.ask(buy(4))
    assert not run.ask(buy(5))


def test_an_exit_is_never_too_fast_and_yet_counts() -> None:
    run = Trader(max_orders_per_minute=2)
    run.trade(buy(2))
    run.trade(sell(1))
    assert not run.ask(buy(1))
    assert run.trade(sell(1))


def test_a_denied_order_does_not_count() -> None:
    run = Trader(max_orders_per_minute=1, max_order_qty=5)
    assert not run.ask(buy(6))
    assert not run.ask(one_cancels_other(buy(2, limit="90"), buy(2, limit="80.001")))
    assert run.code in ("off_tick", "linked")
    assert run.ask(buy(1))


def test_an_order_that_the_gate_withheld_does_not_count() -> None:
    run = Trader(max_orders_per_minute=1, max_repeats=1, duplicate_window_seconds=60)
    run.script.steps = [[buy(1)]]
    (effect,) = run.engine.on_bar(bar(100.0))
    run.engine.on_withheld(effect.order, Denial(code="kill_engaged", message="the kill switch is engaged"))
    assert run.ask(buy(1))


@pytest.mark.parametrize("wanted", [buy(1, limit="90"), buy("1.00", limit="90.00")])
def test_the_same_order_again_within_the_window_is_taken_for_a_mistake(wanted: OrderRequest) -> None:
    run = Trader(duplicate_window_seconds="1.5")
    run.ask(buy(1, limit="90"))
    run.later(1.25)
    assert not run.ask(wanted)
    assert (run.code, run.denied["figure"], run.denied["limit"]) == ("duplicate_order", "1.25", "1.5")
    run.later(0.25)
    assert run.ask(wanted)


@pytest.mark.parametrize("other", [buy(2, limit="90"), buy(1, limit="91"), buy(1), sell(1, limit="90")])
def test_an_order_with_other_terms_is_no_duplicate(other: OrderRequest) -> None:
    run = Trader(duplicate_window_seconds=60)
    run.ask(buy(1, limit="90"))
    assert run.ask(other)


def test_a_duplicate_is_measured_from_the_last_order_that_left() -> None:
    run = Trader(duplicate_window_seconds=10)
    run.ask(buy(1))
    run.later(8)
    assert not run.ask(buy(1))
    run.later(2)
    assert run.ask(buy(1))
    run.later(9)
    assert not run.ask(buy(1))


def test_a_strategy_that_was_filled_so_often_is_off_until_a_person_lets_it_trade_again() -> None:
    run = Trader(max_repeats=2)
    for _ in range(2):
        assert run.trade(buy(1))
        run.later(3600)
        assert run.trade(sell(1))
        run.later(3600)
    for _ in range(2):
        assert not run.ask(buy(1))
        assert (run.code, run.denied["figure"], run.denied["limit"]) == ("throttled", "2", "2")
    assert run.agent.manager.throttled
    run.engine.renew()
    assert run.trade(buy(1))
    assert run.trade(buy(1))
    assert not run.ask(buy(1))


def test_an_exit_passes_a_strategy_that_is_off() -> None:
    run = Trader(max_repeats=1)
    run.trade(buy(2))
    assert not run.ask(buy(1))
    assert run.trade(sell(2))


def test_the_parts_of_an_order_are_one_execution() -> None:
    run = Trader(max_repeats=2)
    (order,) = run.ask(buy(3))
    for _ in range(3):
        run.fill(order, 1)
    assert run.agent.manager.memory.recent.executions == 1
    assert run.ask(buy(1))


def test_an_order_that_waits_is_counted_until_it_is_gone_without_a_fill() -> None:
    run = Trader(max_repeats=1)
    (resting,) = run.ask(buy(1, limit="90"))
    assert not run.ask(buy(2))
    assert run.code == "max_repeats"
    run.ask(CancelRequest(resting.id))
    run.tell(UpdateKind.CANCELLED, resting)
    assert resting.status is OrderStatus.CANCELLED
    assert run.trade(buy(2))
    assert run.agent.manager.throttled


def test_a_fill_that_comes_after_the_end_of_its_order_counts() -> None:
    run = Trader(max_repeats=1)
    (resting,) = run.ask(buy(1, limit="90"))
    run.tell(UpdateKind.CANCELLED, resting)
    run.fill(resting)
    assert not run.ask(buy(2))
    assert run.code == "throttled"


def test_what_is_remembered_outlives_the_process() -> None:
    limits = {"max_repeats": 5, "max_orders_per_minute": 3, "duplicate_window_seconds": 60}
    run, again = Trader(**limits), Trader(key="again", **limits)
    run.trade(buy(1), buy(2))
    again.agent.manager.restore(run.agent.manager.saved())
    assert again.agent.manager.memory == run.agent.manager.memory
    assert not again.ask(buy(2))
    assert again.code == "duplicate_order"
    assert again.ask(buy(3))
    assert not again.ask(buy(4))
    assert again.code == "max_orders_per_minute"


def test_what_is_remembered_is_forgotten_with_its_window() -> None:
    run = Trader(max_orders_per_minute=1000, duplicate_window_seconds=30)
    for qty in range(1, 200):
        run.later(2)
        run.trade(buy(D(qty) / 1000))
    recent = run.agent.manager.memory.recent
    assert len(recent.sent) == len(recent.latest) == 30
    assert not recent.waiting


def test_a_run_without_such_a_limit_remembers_nothing() -> None:
    run = Trader(max_order_qty=10)
    run.trade(buy(1))
    assert not run.agent.manager.remembers
    assert not run.agent.manager.memory.recent.sent
