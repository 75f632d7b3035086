"""What Kelly sizing comes to, against figures reckoned by hand and drawn days."""

from __future__ import annotations

from decimal import Decimal
from math import log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.sizing.kelly import ContinuousKelly, DiscreteKelly
from risk.sizing.memory import Ends, Memory
from risk.sizing.returns import Returns
from tests.engine.builders import buy, sell
from tests.risk.sizes import denied, filled, method, run_of, see
from trading.engine.memory import restore, saved
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial

D = Decimal


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


def test_the_trades_of_a_run_come_back_from_a_snapshot() -> None:
    run = run_of(method(method="kelly", kind="discrete", initial="0.1", cap="0.1"), [buy(9)], [sell(100)])
    filled(run, see(run)[0], "100")
    filled(run, see(run)[0], "110")
    again = run_of(method(method="kelly", kind="discrete"))
    restore(again.agent.sizer, saved(run.agent.sizer))
    assert again.agent.sizer.state == run.agent.sizer.state
