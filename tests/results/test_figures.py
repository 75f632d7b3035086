"""Figures by hand, and a library's figures held against another library's."""

import math

import ffn
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.results.builders import DAY, daily, fill
from trading.metrics import performance
from trading.results import figures_of
from trading.results.figures import curve_figures, trading_figures

RETURNS = st.lists(st.floats(-0.2, 0.2).map(lambda one: round(one, 6)), min_size=3, max_size=300)


def curve(returns, start=100_000.0):
    return daily(start * np.cumprod(1 + np.array(returns)))


def as_series(times, equity, start):
    """What the other library takes: the starting cash on the day before, then a level a day."""
    index = pd.to_datetime(np.concatenate(([times[0] - DAY], times)))
    return pd.Series(np.concatenate(([start], equity)), index=index)


def other(figure):
    value = float(figure)
    return value if math.isfinite(value) else None


@given(RETURNS)
def test_another_library_comes_to_the_same_figures(returns):
    times, equity = curve(returns)
    ours = {**performance(times, equity, 100_000.0), **curve_figures(times, equity, 100_000.0)}
    prices = as_series(times, equity, 100_000.0)
    changes = prices.pct_change().dropna()
    if changes.std() > 1e-9:
        assert ours["sharpe"] == pytest.approx(float(ffn.calc_sharpe(changes, nperiods=252)), rel=1e-6)
        assert ours["volatility"] == pytest.approx(float(changes.std() * math.sqrt(252)), rel=1e-6)
    if (changes < 0).any():
        assert ours["sortino"] == pytest.approx(float(ffn.calc_sortino_ratio(changes, nperiods=252)), rel=1e-6)
    assert ours["max_drawdown"] == pytest.approx(-float(ffn.calc_max_drawdown(prices)), abs=1e-12)
    assert ours["total_return"] == pytest.approx(float(ffn.calc_total_return(prices)), abs=1e-9)


@given(RETURNS)
def test_the_longest_drawdown_is_the_other_librarys_and_a_day(returns):
    """The other library counts from the first day below the peak, we from the peak, which was a day before."""
    times, equity = curve(returns)
    prices = as_series(times, equity, 100_000.0)
    details = ffn.drawdown_details(prices.to_drawdown_series())
    ours = curve_figures(times, equity, 100_000.0)["longest_drawdown_days"]
    if details is None:
        assert ours == 0
    elif ours and performance(times, equity, 100_000.0)["max_drawdown"] and equity[0] >= 100_000.0:
        assert ours == int(details["Length"].max()) + 1


def test_a_curve_by_hand():
    """100, 110, 99, 121: returns of 10%, -10% and 22.22%; the deepest fall is 10% of 110 and lasts two days."""
    figures = curve_figures(*daily([110.0, 99.0, 121.0]), 100.0)
    mean = (0.1 - 0.1 + 121 / 99 - 1) / 3
    assert figures["annual_return"] == pytest.approx(1.21 ** (252 / 3) - 1)
    assert figures["sortino"] == pytest.approx(mean / math.sqrt(0.1**2 / 3) * math.sqrt(252))
    assert figures["calmar"] == pytest.approx((1.21 ** (252 / 3) - 1) / 0.1)
    assert (figures["drawdown_days"], figures["longest_drawdown_days"]) == (2.0, 2.0)


def test_the_deepest_drawdown_need_not_be_the_longest_and_may_go_on_to_the_end():
    figures = curve_figures(*daily([110.0, 109.0, 109.0, 110.0, 55.0, 60.0]), 100.0)
    assert (figures["drawdown_days"], figures["longest_drawdown_days"]) == (2.0, 3.0)


def test_a_curve_that_only_rises_has_no_drawdown_and_no_downside():
    figures = curve_figures(*daily([101.0, 103.0, 104.0, 108.0]), 100.0)
    assert (figures["drawdown_days"], figures["longest_drawdown_days"]) == (0.0, 0.0)
    assert (figures["calmar"], figures["sortino"]) == (None, None)


@pytest.mark.parametrize("levels", [[], [100.0], [101.0, 102.0]])
def test_what_a_short_curve_cannot_say_is_not_said(levels):
    times, equity = daily(levels)
    assert figures_of(times, equity, 100.0, [])["annual_return"] is None


def test_exposure_turnover_and_fees_by_hand():
    """Held from the second to the third of four points; 200 bought and 220 sold on an average equity of 1,050."""
    times, equity = daily([1000.0, 1000.0, 1100.0, 1100.0])
    fills = [fill(1, "buy", 2, 100, fee="0.1"), fill(3, "sell", 2, 110, fee="0.25")]
    figures = trading_figures(times, equity, fills)
    assert figures == {"exposure": 0.5, "turnover": pytest.approx(420 / 1050), "fees": "0.35"}


def test_a_short_is_exposure_too_and_two_symbols_count_once():
    times, equity = daily([100.0] * 4)
    fills = [fill(0, "sell", 1, 10), fill(1, "buy", 1, 10, "BAC"), fill(2, "buy", 1, 10), fill(3, "sell", 1, 10, "BAC")]
    assert trading_figures(times, equity, fills)["exposure"] == 0.75


def test_an_options_turnover_counts_its_multiplier():
    times, equity = daily([1000.0, 1000.0, 1000.0])
    assert trading_figures(times, equity, [fill(0, "buy", 1, 2, "TWX140621C00070000")])["turnover"] == 0.2


def test_figures_are_ready_for_json_and_complete():
    figures = figures_of(*daily([110.0, 99.0, 121.0]), 100.0, [fill(0, "buy", 1, 10), fill(1, "sell", 1, 12)])
    assert set(figures) == {
        *("total_return", "annual_return", "sharpe", "sortino", "calmar", "volatility"),
        *("max_drawdown", "drawdown_days", "longest_drawdown_days", "exposure", "turnover", "fees", "slippage"),
        *(
            "results",
            "trades",
            "win_rate",
            "profit_factor",
            "average_trade",
            "best_trade",
            "worst_trade",
            "average_hold",
        ),
    }
    assert {type(one) for one in figures.values()} <= {float, int, str, list, type(None)}
    assert sum(count for _, _, count in figures["results"]) == figures["trades"] == 1
