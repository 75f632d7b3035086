"""Day trades of a margin account, and what the two regimes hold back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engine.builders import buy, sell
from tests.risk.trading import D, Trader
from trading.engine.bars import to_nanos
from trading.engine.margin import AccountType
from trading.engine.orders import CancelRequest, OrderRequest
from trading.engine.updates import UpdateKind

HOUR = 3600
DAY = 24 * HOUR
#: A Monday, ten in the morning in New York; Thursday of that week is Thanksgiving.
MONDAY = to_nanos(datetime(2023, 11, 20, 15, tzinfo=UTC))


def trader(cash: str = "10000", **options: object) -> Trader:
    chosen = {"account": AccountType.MARGIN, "begins": MONDAY, "pdt": "legacy_pdt", **options}
    return Trader(cash=cash, **chosen)  # type: ignore[arg-type]


def round_trip(run: Trader, symbol: str = "SPY") -> bool:
    """Buy and sell one; whether the entry was let through."""
    if not run.trade(buy(1, symbol)):
        return False
    assert run.trade(sell(1, symbol))
    return True


def day_trades(run: Trader) -> int:
    return sum(day.day_trades for day in run.agent.manager.memory.days.days)


def test_three_round_trips_in_five_days_pass_and_the_entry_to_a_fourth_does_not() -> None:
    run = trader()
    assert [round_trip(run) for _ in range(4)] == [True, True, True, False]
    assert (run.code, run.denied["figure"], run.denied["limit"]) == ("legacy_pdt", "4", "3")


def test_the_five_days_are_the_exchanges() -> None:
    run = trader()
    for _ in range(3):
        round_trip(run)
    for days in (1, 1, 2, 3, 1):
        # Monday, Tuesday, Wednesday, the half day of Friday, and Monday: five business days.
        assert not run.ask(buy(1))
        run.later(days * DAY)
    assert round_trip(run)


def test_an_entry_that_could_be_closed_today_counts_as_a_day_trade_already() -> None:
    run = trader(universe=("SPY", "BAC", "IBM"))
    round_trip(run)
    round_trip(run)
    (resting,) = run.ask(buy(1, "BAC", limit="90"))
    assert not run.ask(buy(1, "IBM"))
    run.ask(CancelRequest(resting.id))
    run.tell(UpdateKind.CANCELLED, resting)
    assert run.trade(buy(1, "IBM"))
    assert not run.ask(buy(1))
    run.later(DAY)
    # Held overnight, it is no day trade any more.
    assert run.trade(sell(1, "IBM"))
    assert day_trades(run) == 2
    assert run.trade(buy(1))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([buy(1), buy(1), sell(1), sell(1)], 1),
        ([buy(2), sell(1), buy(1), sell(2)], 2),
        ([buy(1), sell(2), buy(1)], 2),
        ([sell(1), buy(1)], 1),
        ([buy(1)], 0),
    ],
)
def test_entries_followed_by_exits_are_one_day_trade(steps: list[OrderRequest], expected: int) -> None:
    run = trader(cash="24000")
    for step in steps:
        run.trade(step)
    assert day_trades(run) == expected


def test_the_parts_of_one_order_are_one_entry() -> None:
    run = trader()
    (entry,) = run.ask(buy(3))
    for _ in range(3):
        run.fill(entry, 1)
        run.trade(sell(1))
    assert day_trades(run) == 1


def test_what_was_held_overnight_is_sold_without_a_day_trade() -> None:
    run = trader()
    run.trade(buy(2))
    run.later(DAY)
    run.trade(sell(1))
    assert day_trades(run) == 0
    run.trade(buy(1))
    run.trade(sell(2))
    assert day_trades(run) == 1


def test_a_day_is_new_yorks() -> None:
    run = trader()
    run.later(13 * HOUR)
    # It is Tuesday in UTC.
    run.trade(buy(1))
    run.later(2 * HOUR)
    run.trade(sell(1))
    assert day_trades(run) == 0


def test_few_day_trades_among_many_trades_make_no_pattern() -> None:
    run = trader()
    run.trade(buy(1))
    run.later(DAY)
    for _ in range(70):
        run.trade(sell("0.01"))
    assert [round_trip(run) for _ in range(5)] == [True, True, True, True, False]
    assert run.denied["figure"] == "5"


def test_the_trades_of_days_that_will_be_gone_first_excuse_nothing() -> None:
    run = trader()
    run.trade(buy(1))
    run.later(DAY)
    for _ in range(70):
        run.trade(sell("0.01"))
    run.later(DAY)
    assert [round_trip(run) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("options", [{"cash": "25000"}, {"account": AccountType.CASH}, {"pdt": "off"}])
def test_rich_accounts_and_cash_accounts_trade_as_often_as_they_like(options: dict[str, object]) -> None:
    run = trader(**options)
    assert all(round_trip(run) for _ in range(6))


def test_crypto_is_no_security() -> None:
    run = trader(universe=("SPY", "BTC/USD"))
    assert all(round_trip(run, "BTC/USD") for _ in range(6))
    assert not run.agent.manager.memory.days.days


def test_day_trades_outlive_the_process() -> None:
    run, again = trader(), trader(key="again")
    for _ in range(3):
        round_trip(run)
    again.agent.manager.restore(run.agent.manager.saved())
    assert not again.ask(buy(1))
    assert again.code == "legacy_pdt"


def test_with_intraday_margin_all_that_may_be_held_is_covered_at_any_time() -> None:
    run = trader(cash="1000", pdt="intraday_margin", universe=("SPY", "PENNY"))
    run.see(2.0, "PENNY")
    # A short below five dollars needs $2.50 a share, more than the half of its value that opening it ties up.
    assert not run.ask(sell(401, "PENNY"))
    assert (run.code, D(run.denied["figure"]), D(run.denied["limit"])) == ("intraday_margin", D("1002.5"), D(1000))
    assert run.ask(sell(400, "PENNY", limit="2"))
    assert not run.ask(buy(1))


def test_a_deficit_is_not_enlarged() -> None:
    run = trader(cash="1000", pdt="intraday_margin", universe=("SPY", "BAC"))
    run.trade(buy(20))
    run.see(60.0)
    assert run.engine.equity == 200
    # 20 shares at 60 need 300.
    assert not run.ask(buy(1, "BAC"), close=60.0)
    assert run.ask(sell(20), close=60.0)
