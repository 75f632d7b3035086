import numpy as np
import pytest

from trading.metrics import one_per_stamp, performance

DAY = 86_400_000_000_000


def curve(*levels, step=DAY):
    return np.arange(len(levels), dtype=np.int64) * step, np.array(levels, dtype=float)


def test_figures_of_three_days_worked_by_hand():
    figures = performance(*curve(110.0, 99.0, 118.8), 100.0)
    returns = [0.10, -0.10, 0.20]
    mean = sum(returns) / 3
    deviation = (sum((one - mean) ** 2 for one in returns) / 2) ** 0.5
    assert figures["total_return"] == pytest.approx(0.188)
    assert figures["max_drawdown"] == pytest.approx(0.1)
    assert figures["sharpe"] == pytest.approx(mean / deviation * 252**0.5)


def test_the_starting_cash_is_the_first_peak():
    assert performance(*curve(95.0, 90.0), 100.0)["max_drawdown"] == pytest.approx(0.1)


def test_a_curve_that_stands_still_has_no_sharpe_ratio():
    assert performance(*curve(100.0, 100.0, 100.0, 100.0), 100.0)["sharpe"] is None


def test_within_a_day_bar_returns_are_used():
    figures = performance(*curve(101.0, 100.0, 102.0, step=60_000_000_000), 100.0)
    assert figures["sharpe"] > 0


def test_no_bars_no_figures():
    assert performance(np.array([], np.int64), np.array([]), 100.0) == {
        "total_return": 0.0,
        "max_drawdown": 0.0,
        "sharpe": None,
    }


def test_of_bars_with_one_stamp_the_last_counts():
    times, equity = one_per_stamp(np.array([1, 1, 2, 3, 3]), np.array([10.0, 11.0, 12.0, 13.0, 14.0]))
    assert times.tolist() == [1, 2, 3]
    assert equity.tolist() == [11.0, 12.0, 14.0]
