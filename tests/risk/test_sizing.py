"""What each sizing method comes to, against figures reckoned by hand."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import yaml

from risk.sizing.returns import returns_per_year
from tests.engine.builders import MINUTE, START, buy, sell
from tests.environment import PROJECT
from tests.risk.sizes import CASH, denied, filled, method, run_of, see
from trading.engine.bars import Bar
from trading.engine.instruments import instrument_of
from trading.engine.memory import restore, saved

D = Decimal
DOCUMENTED = re.findall(r"^(sizing: .*)$", (PROJECT / "docs" / "risk.md").read_text(), re.MULTILINE)
DAY = 24 * 60 * MINUTE


@pytest.mark.parametrize("example", DOCUMENTED)
def test_the_documented_examples_are_settings(example: str) -> None:
    settings = yaml.safe_load(example)["sizing"]
    assert method(**settings).method == settings["method"]


def test_every_method_is_documented() -> None:
    assert {yaml.safe_load(one)["sizing"]["method"] for one in DOCUMENTED} == {
        "fixed_quantity",
        "fixed_fraction",
        "volatility_target",
        "kelly",
    }


def test_a_fixed_quantity_takes_the_place_of_the_strategys_own() -> None:
    (order,) = see(run_of(method(method="fixed_quantity", qty=7), [buy(100)]))
    assert (order.qty, order.sizing) == (D(7), "fixed quantity 7")


def test_a_fixed_fraction_is_of_the_equity_at_the_last_price_in_whole_units() -> None:
    (order,) = see(run_of(method(method="fixed_fraction", fraction="0.1"), [buy(1)]), close=30.0)
    assert (order.qty, order.sizing) == (D(333), "0.1 of equity")


def test_a_quantity_is_rounded_down_to_the_lot() -> None:
    lots = {"SPY": instrument_of("SPY", lot=D(100))}
    (order,) = see(run_of(method(method="fixed_fraction", fraction="0.1"), [buy(1)], instruments=lots), close=30.0)
    assert order.qty == D(300)


def test_a_crypto_pair_is_sized_in_millionths() -> None:
    run = run_of(method(method="fixed_fraction", fraction="0.1"), [buy(1, "BTC/USD")], universe=["BTC/USD"])
    (order,) = see(run, close=30_000.0, symbol="BTC/USD")
    assert order.qty == D("0.333333")


def test_less_than_one_unit_is_denied_with_the_figures() -> None:
    run = run_of(method(method="fixed_fraction", fraction="0.001"), [buy(100)])
    assert not see(run, close=400.0)
    assert denied(run) == {
        "withheld": False,
        "code": "size_zero",
        "figure": "0.25",
        "limit": "1",
        "reason": "size_zero: 0.001 of equity: 0.25 units of SPY at 400, less than 1",
    }


def test_what_is_held_and_on_order_counts_towards_the_position() -> None:
    run = run_of(method(method="fixed_fraction", fraction="0.1"), [buy(1)], [buy(1)], [buy(1, limit="90")], [buy(1)])
    (first,) = see(run)
    assert first.qty == D(100)
    assert not see(run)
    assert denied(run)["code"] == "size_zero"
    filled(run, first)
    (second,) = see(run, close=80.0)
    assert (second.qty, second.sizing) == (D(22), "0.1 of equity, less what is held and on order")
    assert not see(run, close=80.0)


def test_the_buying_power_bounds_what_is_sized_by_equity() -> None:
    run = run_of(method(method="fixed_fraction", fraction=2, max_leverage=2), [buy(1)])
    (order,) = see(run, close=33.0)
    assert (order.qty, order.sizing) == (D(3030), "2 of equity, held down to the buying power")


def test_leverage_is_bounded_over_all_symbols() -> None:
    sizing = method(method="fixed_fraction", fraction="0.4", max_leverage="0.5")
    run = run_of(sizing, [buy(1)], [sell(1, "BAC")], universe=["SPY", "BAC"])
    filled(run, see(run)[0])
    (order,) = see(run, close=10.0, symbol="BAC")
    assert (order.qty, order.sizing) == (D(1000), "0.4 of equity, held down to leverage 0.5")


# Volatility.


@pytest.mark.parametrize(
    ("step", "calendar", "count"),
    [
        (DAY, "XNYS", 252),
        (MINUTE, "XNYS", 252 * 390),
        (5 * MINUTE, "XNYS", 252 * 78),
        (60 * MINUTE, "XNYS", 252 * 6.5),
        (MINUTE // 60, "XNYS", 252 * 390 * 60),
        (DAY, "24/7", 365),
        (60 * MINUTE, "24/7", 365 * 24),
        (MINUTE, "24/7", 365 * 1440),
    ],
)
def test_a_year_has_as_many_returns_as_its_sessions_hold_bars(step: int, calendar: str, count: float) -> None:
    assert returns_per_year(step, calendar) == pytest.approx(count)


def _swings(symbol: str, step: int, size: float = 0.01) -> list[Bar]:
    """Five bars whose four returns are up and down by the same part, so that they have no mean."""
    prices = [100.0]
    for sign in (1, -1, 1, -1):
        prices.append(prices[-1] * (1 + sign * size))
    return [Bar(symbol, START + n * step, price, price, price, price, 1.0) for n, price in enumerate(prices)]


@pytest.mark.parametrize(
    ("symbol", "step", "per_year"),
    [("SPY", DAY, 252), ("SPY", MINUTE, 98_280), ("BTC/USD", DAY, 365), ("BTC/USD", MINUTE, 525_600)],
)
def test_a_volatility_target_divides_by_what_was_realised_per_year(symbol: str, step: int, per_year: float) -> None:
    target = method(method="volatility_target", annual_vol="0.05", window=4)
    run = run_of(target, [], [], [], [], [buy(1, symbol)], universe=[symbol])
    bars = _swings(symbol, step)
    for one in bars[:-1]:
        run.on_bar(one)
    (effect,) = run.on_bar(bars[-1])
    realised = (4 * 0.01**2 / 3 * per_year) ** 0.5
    value = effect.order.qty * D(repr(bars[-1].close))
    assert float(value / CASH) == pytest.approx(0.05 / realised, abs=2e-3)
    assert effect.order.sizing.startswith(f"volatility target 0.05 of {realised:.3g} realised: ")


def test_a_night_between_bars_does_not_change_what_a_return_counts_for() -> None:
    target = method(method="volatility_target", annual_vol="0.05", window=4)
    sizes = []
    for gap in (0, DAY):
        run = run_of(target, [], [], [], [], [buy(1)])
        for n, one in enumerate(_swings("SPY", MINUTE)):
            late = Bar(one.symbol, one.time + (gap if n > 2 else 0), *([one.close] * 4), 1.0)
            effects = run.on_bar(late)
        sizes.append(effects[0].order.qty)
    assert sizes[0] == sizes[1]


def test_nothing_is_opened_before_the_window_is_full() -> None:
    run = run_of(method(method="volatility_target", annual_vol="0.05", window=4), [buy(1)])
    assert not see(run)
    assert denied(run)["reason"] == "too_few_bars: nothing is opened until 4 returns of SPY are known, 0 so far"


def test_until_the_window_is_full_a_stated_part_may_be_opened() -> None:
    run = run_of(method(method="volatility_target", annual_vol="0.05", window=4, initial="0.02"), [buy(1)])
    (order,) = see(run)
    assert (order.qty, order.sizing) == (D(20), "0.02 of equity until 4 returns of SPY are known, 0 so far")


def test_a_price_that_has_not_moved_is_no_price_without_risk() -> None:
    run = run_of(method(method="volatility_target", annual_vol="0.05", window=2), [], [], [buy(1)])
    for minute in range(2):
        see(run, minute=minute)
    assert not see(run, minute=2)
    assert denied(run)["code"] == "no_volatility"


def test_what_was_learned_comes_back_from_a_snapshot() -> None:
    sizing = method(method="volatility_target", annual_vol="0.05", window=4)
    whole, first = run_of(sizing, [], [], [], [], [buy(1)]), run_of(sizing)
    bars = _swings("SPY", DAY)
    for one in bars[:4]:
        whole.on_bar(one)
        first.on_bar(one)
    resumed = run_of(sizing, [buy(1)])
    restore(resumed.agent.sizer, saved(first.agent.sizer))
    assert resumed.agent.sizer.state == first.agent.sizer.state
    (same,), (expected,) = resumed.on_bar(bars[4]), whole.on_bar(bars[4])
    assert (same.order.qty, same.order.sizing) == (expected.order.qty, expected.order.sizing)
