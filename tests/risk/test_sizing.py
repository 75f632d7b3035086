"""What each sizing method comes to, against figures reckoned by hand."""

from __future__ import annotations

import re
from decimal import Decimal
from math import log1p

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from risk.sizing.kelly import ContinuousKelly, DiscreteKelly
from risk.sizing.memory import Ends, Memory
from risk.sizing.returns import Returns, returns_per_year
from tests.engine.builders import MINUTE, START, buy, sell
from tests.environment import PROJECT
from tests.risk.sizes import CASH, denied, filled, method, run_of, see
from trading.engine.bars import Bar
from trading.engine.instruments import instrument_of
from trading.engine.memory import restore, saved
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial

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


# Kelly from trades.


def _run_after(won: int, lost: int, gain: float = 0.1, loss: float = 0.05, **settings: object) -> OrderRecord | str:
    """The order of a run with so many trades behind it, all that won alike and all that lost alike; or why there is
    none."""
    run = run_of(method(method="kelly", kind="discrete", **settings), [buy(1)])
    memory = run.agent.sizer.state
    for ends, count, size in ((memory.won, won, gain), (memory.lost, lost, loss)):
        for _ in range(count):
            ends.add(size)
    orders = see(run, close=1.0)
    return orders[0] if orders else denied(run)["reason"]


def test_half_kelly_by_hand() -> None:
    # p = 25/42, b = 2: f = p - (1 - p)/2 = 0.392857; var = 1.5^2 p (1 - p)/43 = 0.012607; f^2/(f^2 + var) = 0.924489
    order = _run_after(24, 16, cap=1)
    assert order.qty == D(18_159)
    assert order.sizing == "half Kelly 0.182 of equity; 40 trades, 0.595 won, payoff 2, 0.92 kept for their error"


def test_kelly_is_capped_and_says_so() -> None:
    order = _run_after(24, 16)
    assert order.qty == D(5000)
    assert order.sizing.startswith("half Kelly 0.182 of equity, capped at 0.05; 40 trades")


def test_trades_that_differ_among_each_other_are_trusted_less() -> None:
    kelly = DiscreteKelly(method="kelly", kind="discrete", cap=D(1))
    alike = Memory(won=_ends([0.1] * 24), lost=_ends([0.05] * 16))
    unlike = Memory(won=_ends([0.02, 0.18] * 12), lost=_ends([0.01, 0.09] * 8))
    assert kelly.part(buy(1), unlike, None)[0] < kelly.part(buy(1), alike, None)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("won", "lost"), [(10, 30), (0, 40), (13, 27)])
def test_without_an_edge_an_order_is_denied_and_the_reason_told(won: int, lost: int) -> None:
    assert _run_after(won, lost).startswith("no_edge: there is no edge to bet on: ")


def test_before_there_are_enough_trades_a_small_part_is_traded() -> None:
    order = _run_after(20, 9)
    assert order.qty == D(1000)
    assert order.sizing == "0.01 of equity until 30 trades have ended, two with a loss; 29 so far, 9 lost"


def test_a_run_that_never_lost_does_not_know_its_payoff() -> None:
    assert _run_after(40, 1).sizing.startswith("0.01 of equity until 30 trades have ended, two with a loss")


def test_a_round_trip_counts_from_flat_to_flat_after_fees() -> None:
    run = run_of(method(method="kelly", kind="discrete", initial="0.1", cap="0.1"), [buy(9)], [sell(40)], [sell(60)])
    filled(run, see(run)[0], "100", fee="1")
    filled(run, see(run)[0], "110", fee="1")
    memory = run.agent.sizer.state
    assert memory.won == Ends()
    filled(run, see(run)[0], "120", fee="1")
    # 100 units for 10,000: 400 and 1,200 earned, 3 paid in fees.
    assert (memory.won.count, memory.lost.count) == (1, 0)
    assert memory.won.total == pytest.approx(1597 / 10_000)


def test_a_reversal_ends_one_round_trip_and_begins_the_next() -> None:
    run = run_of(method(method="kelly", kind="discrete", initial="0.1", cap="0.1"), [buy(9)], [sell(200)], [buy(500)])
    filled(run, see(run)[0], "100")
    reversal = see(run)[0]
    assert reversal.qty == D(200)
    filled(run, reversal, "90", fee="4")
    memory = run.agent.sizer.state
    assert (memory.won.count, memory.lost.count) == (0, 1)
    assert memory.lost.total == pytest.approx((1000 + 2) / 10_000)
    filled(run, see(run, close=90.0)[0], "80")
    assert (memory.won.count, memory.lost.count) == (1, 1)
    assert memory.won.total == pytest.approx((1000 - 2) / 9_000)


# Kelly from returns.


def test_continuous_kelly_by_hand() -> None:
    # f = (0.1 - 0.02) / 0.04 = 2; var = 1/(250 * 0.04/252) = 25.2; f^2/(f^2 + var) = 0.136986
    returns = Returns(count=250, mean=0.1 / 252, variance=0.04 / 252, per_year=252)
    kelly = method(method="kelly", kind="continuous", risk_free="0.02", cap=1)
    part, why = kelly.sized(buy(1), returns)
    assert part == D("0.136986")
    assert why == "half Kelly 0.137 of equity; 250 returns, drift 0.1, volatility 0.2, 0.14 kept for their error"


def test_what_falls_is_no_edge_to_a_buyer_and_one_to_a_seller() -> None:
    returns = Returns(count=250, mean=-0.1 / 252, variance=0.04 / 252, per_year=252)
    kelly = method(method="kelly", kind="continuous")
    refused = kelly.sized(buy(1), returns)
    assert isinstance(refused, Denial)
    assert (refused.code, refused.figure) == ("no_edge", D("-2.5"))
    assert kelly.sized(sell(1), returns)[0] > 0


@pytest.mark.parametrize("part", ["0.25", "0.5", "0.75", "1"])
def test_a_part_c_of_kelly_earns_c_times_two_minus_c_of_the_growth(part: str) -> None:
    """Thorp (1997), section 7; over 400,000 drawn days whose mean is exact, because each has its mirror image."""
    drift, deviation = 0.0004, 0.01
    noise = np.random.default_rng(7).normal(0.0, deviation, 200_000)
    days = np.concatenate([drift + noise, drift - noise])
    returns = Returns(len(days), float(days.mean()), float(days.var(ddof=1)), 252)
    stake, _ = method(method="kelly", kind="continuous", fraction=part, cap=10).sized(buy(1), returns)
    best = drift / deviation**2

    def growth(fraction: float) -> float:
        return float(np.log1p(fraction * days).mean())

    c = float(stake) / best
    assert c == pytest.approx(float(part), rel=0.02)
    assert growth(float(stake)) / growth(best) == pytest.approx(c * (2 - c), rel=0.01)


def test_of_a_bet_on_known_odds_no_other_fraction_grows_faster() -> None:
    """Kelly (1956): p ln(1 + f b) + (1 - p) ln(1 - f) is largest at p - (1 - p)/b."""
    memory = Memory()
    memory.won = Ends(600_000 - 1, 1.2 * (600_000 - 1), 1.44 * (600_000 - 1))
    memory.lost = Ends(400_000 - 1, 400_000.0 - 1, 400_000.0 - 1)
    full, _ = method(method="kelly", kind="discrete", fraction=1, cap=1).part(buy(1), memory, None)  # type: ignore[arg-type]

    def growth(fraction: float) -> float:
        return 0.6 * log1p(fraction * 1.2) + 0.4 * log1p(-fraction)

    assert float(full) == pytest.approx(0.6 - 0.4 / 1.2, abs=1e-3)
    assert all(growth(float(full)) > growth(float(full) + away) for away in (-0.02, 0.02))


# What holds whatever the figures.

TRADES = st.lists(st.floats(0.0001, 3.0), min_size=2, max_size=30)


def _ends(sizes: list[float]) -> Ends:
    ends = Ends()
    for size in sizes:
        ends.add(size)
    return ends


@given(TRADES, TRADES, st.sampled_from(["0.05", "0.3", "1"]), st.sampled_from(["0.1", "0.5", "1"]))
def test_no_record_of_trades_leads_over_the_cap_or_to_what_is_no_figure(won, lost, cap, fraction) -> None:
    kelly = DiscreteKelly(method="kelly", kind="discrete", min_trades=2, cap=D(cap), fraction=D(fraction))
    found = kelly.part(buy(1), Memory(won=_ends(won), lost=_ends(lost)), None)  # type: ignore[arg-type]
    if isinstance(found, Denial):
        assert found.code == "no_edge"
    else:
        assert 0 <= found[0] <= D(cap)


@given(
    st.floats(-0.5, 0.5), st.floats(1e-250, 0.5), st.integers(2, 2000), st.sampled_from([252.0, 98_280.0, 525_600.0])
)
def test_no_returns_lead_over_the_cap_or_to_what_is_no_figure(mean, variance, count, per_year) -> None:
    kelly = ContinuousKelly(method="kelly", kind="continuous")
    found = kelly.sized(buy(1), Returns(count, mean, variance, per_year))
    if isinstance(found, Denial):
        assert found.code == "no_edge"
        assert found.figure.is_finite()
    else:
        assert 0 <= found[0] <= kelly.cap


@given(st.floats(0.0001, 0.1), st.floats(1.01, 3.0), st.floats(1e-6, 0.01), st.integers(3, 2000))
def test_the_better_the_edge_the_larger_the_stake(mean, more, variance, count) -> None:
    kelly = ContinuousKelly(method="kelly", kind="continuous", cap=D(10))
    little = kelly.sized(buy(1), Returns(count, mean, variance, 252))[0]
    much = kelly.sized(buy(1), Returns(count, mean * more, variance, 252))[0]
    assert little <= much


@given(st.floats(0.0001, 0.1), st.floats(1e-6, 0.01), st.integers(3, 1000), st.integers(2, 9))
def test_the_more_is_known_the_larger_the_stake(mean, variance, count, times) -> None:
    kelly = ContinuousKelly(method="kelly", kind="continuous", cap=D(10))
    early = kelly.sized(buy(1), Returns(count, mean, variance, 252))[0]
    assert early <= kelly.sized(buy(1), Returns(count * times, mean, variance, 252))[0]


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


def test_the_trades_of_a_run_come_back_from_a_snapshot() -> None:
    run = run_of(method(method="kelly", kind="discrete", initial="0.1", cap="0.1"), [buy(9)], [sell(100)])
    filled(run, see(run)[0], "100")
    filled(run, see(run)[0], "110")
    again = run_of(method(method="kelly", kind="discrete"))
    restore(again.agent.sizer, saved(run.agent.sizer))
    assert again.agent.sizer.state == run.agent.sizer.state
