"""What the world says about an order in the moment before it leaves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from risk.clock import Clock, MarketWord
from risk.conditions import SETTLING, Conditions, refusal
from risk.limits import RiskLimits
from tests.engine.builders import buy, sell
from tests.risk.trading import SECOND, D, Trader
from trading.engine.bars import to_nanos
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce


def order_of(wanted: OrderRequest) -> OrderRecord:
    (order,) = Trader(universe=("SPY", "BTC/USD")).see(100.0, wanted.symbol, wanted)
    return order


def nanos(moment: str) -> int:
    """A time of day in New York, November 2023; the 23rd is a holiday, the 24th half a day."""
    return to_nanos(datetime.fromisoformat(f"2023-11-{moment}-05:00").astimezone(UTC))


def at(moment: str, **limits: object) -> Conditions:
    now = nanos(moment)
    return Conditions(clock=Clock(RiskLimits(**limits), instrument_of, lambda: now))


def code(order: OrderRecord, conditions: Conditions) -> str:
    denial = refusal(order, conditions)
    return "" if denial is None else denial.code


def ask(**terms: object) -> OrderRecord:
    return order_of(OrderRequest(**{"symbol": "SPY", "side": Side.BUY, "qty": D(1), **terms}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("20T09:29:59", False),
        ("20T09:30:00", True),
        ("20T15:59:59", True),
        ("20T16:00:00", False),
        ("23T12:00:00", False),
        ("24T12:59:59", True),
        ("24T13:00:00", False),
        ("25T12:00:00", False),
    ],
)
def test_nothing_is_opened_while_the_exchange_is_closed(moment: str, open_: bool) -> None:
    assert code(ask(), at(moment)) == ("" if open_ else "market_closed")
    assert code(ask(), at(moment, trade_when_closed=True)) == ""


def test_the_venues_own_word_counts_before_the_calendar() -> None:
    for moment, word, expected in (("20T12:00:00", False, "market_closed"), ("25T12:00:00", True, "")):
        conditions = at(moment)
        conditions.market = MarketWord(word, nanos(moment))
        assert code(ask(), conditions) == expected


def test_a_word_from_before_the_close_does_not_outlive_it() -> None:
    conditions = at("20T16:00:03")
    conditions.market = MarketWord(True, nanos("20T15:59:55"))
    assert code(ask(), conditions) == "market_closed"
    conditions.market = MarketWord(True, nanos("20T16:00:01"))
    assert code(ask(), conditions) == ""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("20T03:59:00", "market_closed"), ("20T04:01:00", ""), ("20T19:59:00", ""), ("20T20:01:00", "market_closed")],
)
def test_an_order_for_extended_hours_has_hours_too(moment: str, expected: str) -> None:
    order = ask(extended_hours=True, type=OrderType.LIMIT, limit_price=D(90))
    assert code(order, at(moment)) == expected


def test_an_order_for_the_open_waits_for_it() -> None:
    assert code(ask(time_in_force=TimeInForce.OPG), at("20T06:00:00")) == ""


def test_what_trades_around_the_clock_is_never_closed() -> None:
    assert code(order_of(buy(1, "BTC/USD")), at("25T03:00:00")) == ""


def test_an_exit_passes_at_any_time_and_price() -> None:
    run = Trader()
    run.trade(buy(1))
    (order,) = run.ask(sell(1))
    conditions = at("25T12:00:00", max_bar_age_seconds=1)
    conditions.buying_power = D(0)
    assert code(order, conditions) == ""


def test_a_bar_that_is_too_old_opens_nothing() -> None:
    conditions = at("20T12:00:00", max_bar_age_seconds=90)
    order, clock = ask(), conditions.clock
    assert clock is not None
    assert code(order, conditions) == "stale_bar"
    noon = to_nanos(datetime(2023, 11, 20, 17, tzinfo=UTC))
    clock.see("SPY", noon - 90 * SECOND)
    assert code(order, conditions) == ""
    clock.see("SPY", noon - 91 * SECOND)
    denial = refusal(order, conditions)
    assert denial is not None
    assert (denial.code, denial.figure, denial.limit) == ("stale_bar", 91, 90)


def test_the_brokers_own_buying_power_counts_with_what_left_since_it_was_asked() -> None:
    conditions = Conditions(asks=True, buying_power=D(250), heard_at=1000.0)
    first, second, third = (order_of(buy(qty)) for qty in (1, "1.5", "1.51"))
    assert code(third, conditions) == ""
    first.id, second.id, third.id = "a", "b", "c"
    conditions.leaves(first, 1000.0 - SETTLING)
    # An order that has left is not held against itself.
    assert code(first, conditions) == code(second, conditions) == ""
    denial = refusal(third, conditions)
    assert denial is not None
    assert (denial.code, denial.figure, denial.limit) == ("broker_buying_power", D("151.00"), D(150))
    conditions.heard_at = 1000.1
    assert code(third, conditions) == ""


def test_what_the_broker_knows_of_is_forgotten() -> None:
    conditions = Conditions(asks=True, buying_power=D(10_000))
    for second in range(100):
        order = order_of(buy(1))
        order.id = str(second)
        conditions.heard_at = float(second)
        conditions.leaves(order, float(second))
    assert len(conditions.sent) == SETTLING + 1


def test_what_a_broker_does_not_say_is_not_there_to_be_spent() -> None:
    denial = refusal(ask(), Conditions(asks=True))
    assert denial is not None
    assert (denial.code, denial.limit) == ("broker_buying_power", None)
