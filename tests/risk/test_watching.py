"""What a run is watched by while it trades, limit by limit."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from risk.in_flight import InFlight
from risk.limits import RiskLimits
from tests.engine.builders import Script, buy, fill, sell
from tests.risk.runs import CASH, DAY, HOUR, MIDNIGHT, MINUTE, at, breach, denials, made, minutes, traded
from tests.risk.trading import Trader
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.updates import OrderUpdate, UpdateKind

D = Decimal


def watched(limits: dict[str, object], *marks: tuple[int, str]) -> Engine:
    """One who holds 100 units from the first midnight on, bought at 100 with all of 10,000, so that the equity is what
    the marks (nanoseconds after midnight, equity) say."""
    bars = [at(0, 100.0), *(at(time + 1, float(equity) / 100) for time, equity in marks)]
    return traded(limits, bars, [buy(100)])


def test_a_loss_equal_to_its_limit_is_allowed() -> None:
    assert breach(watched({"max_daily_loss": 1000}, (0, "9000.00"))) is None


def test_a_loss_a_cent_over_its_limit_is_not() -> None:
    machine = watched({"max_daily_loss": 1000}, (0, "9000.00"), (1, "8999.99"), (2, "10000"))
    assert breach(machine) == ("max_daily_loss", D("1000.01"), D(1000))
    assert (machine.halted, machine.bars) == ("max_daily_loss", 3)


def test_the_day_starts_at_midnight_utc_with_the_equity_of_the_day_before() -> None:
    limits: dict[str, object] = {"max_daily_loss": 1000}
    assert breach(watched(limits, (23 * HOUR, "9200"), (24 * HOUR, "8300"), (25 * HOUR, "8200"))) is None
    assert breach(watched(limits, (22 * HOUR, "9200"), (23 * HOUR, "8300"))) is not None


def test_a_gap_over_night_counts_for_the_new_day() -> None:
    assert breach(watched({"max_daily_loss": 1000}, (23 * HOUR, "10000"), (24 * HOUR, "8900"))) == (
        "max_daily_loss",
        D(1100),
        D(1000),
    )


def test_drawdown_is_measured_from_the_highest_equity_of_the_run() -> None:
    limits: dict[str, object] = {"max_drawdown": "0.1"}
    assert breach(watched(limits, (0, "12000"), (DAY, "10800"))) is None
    found = breach(watched(limits, (0, "12000"), (DAY, "10799")))
    assert found is not None
    assert (found[0], round(found[1], 6)) == ("max_drawdown", D("0.100083"))


def test_a_symbol_may_lose_its_limit_whatever_the_others_gain() -> None:
    bars = [*minutes(10, 10, 10, 10, symbol="AAA")]
    others = [at(one.time - MIDNIGHT + 1, price, "BBB") for one, price in zip(bars, (10, 9, 8, 7.99), strict=True)]
    bars = sorted([*bars, *others], key=lambda one: one.time)
    wanted = [[buy(100, "AAA")], [buy(100, "BBB")]]
    assert breach(traded({"max_symbol_loss": 200}, bars[:-1], *wanted)) is None
    machine = traded({"max_symbol_loss": 200}, bars, *wanted)
    assert breach(machine) == ("max_symbol_loss", D("201"), D(200))
    assert next(record.reason for record in machine.records if record.data and "figure" in record.data) == (
        "BBB has lost 201.00, more than 200"
    )


def test_what_a_symbol_has_lost_for_good_counts_with_what_it_loses_now() -> None:
    machine = traded({"max_symbol_loss": 100}, minutes(10, 9.4, 9.4, 8.8), [buy(100)], [sell(100)], [buy(100)])
    assert breach(machine) == ("max_symbol_loss", D(120), D(100))


def in_and_out(times: int) -> list[list[object]]:
    return [[buy(1)], [sell(1)]] * times


def test_the_trade_that_would_be_one_too_many_is_turned_away_and_is_the_breach() -> None:
    machine = traded({"max_trades_per_day": 2}, minutes(*[10.0] * 8), *in_and_out(4))
    assert breach(machine) == ("max_trades_per_day", D(3), D(2))
    assert (machine.fills, machine.bars, denials(machine)) == (4, 5, ["max_trades_per_day"])


def test_orders_of_one_bar_do_not_overshoot_the_trades_of_a_day_and_are_no_breach() -> None:
    machine = traded({"max_trades_per_day": 2}, minutes(*[10.0] * 3), [buy(1), buy(2), buy(3)])
    assert (breach(machine), machine.fills, denials(machine)) == (None, 2, ["max_trades_per_day"])


def test_alternatives_are_one_trade() -> None:
    entry = msgspec.structs.replace(buy(1, limit="9"), instead=(buy(1, limit="8"),))
    machine = traded({"max_trades_per_day": 1}, minutes(10.0, 10.0), [entry])
    assert (breach(machine), denials(machine)) == (None, [])
    two = [msgspec.structs.replace(entry, instead=()), buy(1, limit="8")]
    assert denials(traded({"max_trades_per_day": 1}, minutes(10.0, 10.0), two)) == ["max_trades_per_day"]


def test_as_many_trades_as_allowed_are_no_breach_and_a_new_day_has_its_own() -> None:
    bars = [at(day * DAY + minute * MINUTE, 10.0) for day in (0, 1) for minute in range(4)]
    machine = traded({"max_trades_per_day": 2}, bars, *in_and_out(4))
    assert (breach(machine), machine.fills) == (None, 8)


def test_an_order_that_was_filled_in_parts_is_one_trade_and_closing_is_none() -> None:
    machine = made(Script([buy(10)]), {"max_trades_per_day": 1})
    machine.on_bar(at(0, 10.0))
    (order,) = machine.open_orders()
    machine.on_submitted(order)
    for part in range(5):
        machine.on_update(fill(order, 2, "10", f"part {part}"))
    assert [one.used for one in machine.agent.in_flight.headroom(machine)] == [D(1)]


def test_losing_round_trips_in_a_row_are_counted_and_a_gain_ends_the_row() -> None:
    losing, gaining = (10.0, 9.0), (9.0, 10.0)
    limits = {"max_consecutive_losses": 2}
    allowed = minutes(*losing, *losing, *gaining, *losing, *losing)
    assert breach(traded(limits, allowed, *in_and_out(5))) is None
    assert breach(traded(limits, minutes(*losing * 3), *in_and_out(3))) == ("max_consecutive_losses", D(3), D(2))


def test_a_round_trip_that_only_its_fees_make_a_loss_is_one() -> None:
    machine = traded({"max_consecutive_losses": 1}, minutes(*[10.0] * 4), *in_and_out(2), fees={"per_share": "0.01"})
    assert breach(machine) == ("max_consecutive_losses", D(2), D(1))


def test_turning_a_position_over_ends_a_round_trip() -> None:
    machine = traded({"max_consecutive_losses": 1}, minutes(10, 9, 10), [buy(10)], [sell(20)], [buy(20)])
    assert breach(machine) == ("max_consecutive_losses", D(2), D(1))


def test_a_position_may_be_as_old_as_its_limit_and_no_older() -> None:
    limits = {"max_minutes_in_position": 3}
    held = [[buy(1)], [], [], [buy(1)], []]
    assert breach(traded(limits, minutes(*[10.0] * 4), *held)) is None
    assert breach(traded(limits, minutes(*[10.0] * 5), *held)) == ("max_minutes_in_position", D(4), D(3))


def test_a_position_that_was_left_and_taken_again_begins_anew() -> None:
    assert breach(traded({"max_minutes_in_position": 3}, minutes(*[10.0] * 8), [buy(1)], [], [sell(1)], [buy(1)])) == (
        "max_minutes_in_position",
        D(4),
        D(3),
    )


def rejecting(limits: dict[str, object], *rejected: bool, apart: int = MINUTE) -> Engine:
    """One order per bar, which the venue rejects or accepts."""
    machine = made(Script(*[[buy(1, limit="1")]] * len(rejected)), limits)
    for number, bad in enumerate(rejected):
        for effect in machine.on_bar(at(number * apart, 10.0)):
            machine.on_submitted(effect.order)
            kind = UpdateKind.REJECTED if bad else UpdateKind.ACCEPTED
            machine.on_update(OrderUpdate(kind, effect.order.id, machine.now))
        machine.agent.watch(machine, float(CASH))
        if machine.halted:
            break
    return machine


def test_a_rate_of_rejects_is_told_of_ten_orders_or_more() -> None:
    assert breach(rejecting({"max_reject_rate": "0.5"}, *[True] * 9)) is None
    assert breach(rejecting({"max_reject_rate": "0.5"}, *[True] * 10)) == ("max_reject_rate", D(1), D("0.5"))


def test_a_reject_of_what_was_sent_more_than_an_hour_ago_is_of_no_rate() -> None:
    run = Trader(max_reject_rate="0.5")
    (late,) = run.ask(buy(1, limit="1"))
    run.later(3601)
    run.ask(*[buy(1, limit="1")] * 10)
    run.tell(UpdateKind.REJECTED, late)
    assert [one.used for one in run.agent.in_flight.headroom(run.engine)] == [0]


def test_half_of_the_orders_rejected_is_not_more_than_half() -> None:
    assert breach(rejecting({"max_reject_rate": "0.5"}, *[False, True] * 10)) is None
    machine = rejecting({"max_reject_rate": "0.5"}, *[False, True] * 10, True)
    assert breach(machine) == ("max_reject_rate", D(11) / 21, D("0.5"))


def test_rejects_of_more_than_an_hour_ago_do_not_count() -> None:
    assert breach(rejecting({"max_reject_rate": "0.5"}, *[True] * 9, False, True, apart=HOUR // 9)) is None


def test_a_silent_feed_is_a_breach_only_beyond_its_limit() -> None:
    machine = made(Script(), {"max_feed_silence_seconds": 30})
    machine.on_bar(at(0, 10.0))
    assert machine.agent.on_silence(machine, D(30)) == ()
    assert not machine.halted
    machine.agent.on_silence(machine, D("30.5"))
    assert breach(machine) == ("max_feed_silence_seconds", D("30.5"), D(30))
    assert machine.halted


def test_a_run_without_limits_is_not_looked_at() -> None:
    machine = made(Script(), {"max_order_qty": 5})
    assert (machine.agent.watch, machine.agent.observes, machine.agent.silence) == (None, False, None)


ALL = {
    "max_daily_loss": 5000,
    "max_drawdown": "0.5",
    "max_symbol_loss": 5000,
    "max_trades_per_day": 50,
    "max_consecutive_losses": 50,
    "max_minutes_in_position": 5000,
    "max_reject_rate": "0.5",
}


def test_what_a_watch_remembers_goes_through_json_and_back() -> None:
    machine = traded(ALL, minutes(10, 9, 9, 8, 8), [buy(10)], [sell(10)], [buy(10)], [buy(1, limit="1")])
    first = machine.agent.in_flight
    second = InFlight(RiskLimits.model_validate(ALL), D(1))
    second.restore(json.loads(json.dumps(first.saved())))
    assert second.headroom(machine) == first.headroom(machine)
    assert second.saved() == first.saved()
    used = {one.code: (one.used, one.symbol) for one in second.headroom(machine)}
    assert used == {
        "max_daily_loss": (D(20), None),
        "max_drawdown": (D("0.002"), None),
        "max_symbol_loss": (D(20), "SPY"),
        "max_trades_per_day": (D(2), None),
        "max_consecutive_losses": (D(1), None),
        "max_minutes_in_position": (D(2), "SPY"),
        "max_reject_rate": (D(0), None),
    }


def test_the_memory_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no memory of Diary"):
        InFlight(RiskLimits(), CASH).restore({"price": 1})
