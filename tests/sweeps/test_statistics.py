"""Figures of the papers, and figures worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.sweeps.statistics import (
    Moments,
    deflated_sharpe,
    effective_trials,
    expected_best,
    moments,
    overfitting,
    probabilistic_sharpe,
)

#: Bailey and López de Prado (2014), the numerical example: five years of 250 days, an annualised Sharpe ratio of 2.5,
#: skewness -3, kurtosis 10, and a variance of 1/2 between the annualised Sharpe ratios of the trials.
PAPER = Moments(periods=1250, sharpe=2.5 / math.sqrt(250), skew=-3.0, kurtosis=10.0)
VARIANCE = 0.5 / 250


def test_the_best_of_a_hundred_worthless_trials_shows_what_the_paper_says() -> None:
    assert expected_best(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("of", "trials", "told"),
    [(PAPER, 100, 0.9004), (PAPER, 46, 0.9505), (PAPER._replace(skew=0.0, kurtosis=3.0), 88, 0.9505)],
)
def test_the_deflated_sharpe_ratio_is_the_papers(of: Moments, trials: int, told: float) -> None:
    assert deflated_sharpe(of, trials, VARIANCE) == pytest.approx(told, abs=5e-5)


def test_one_trial_is_not_deflated() -> None:
    assert deflated_sharpe(PAPER, 1, VARIANCE) == probabilistic_sharpe(PAPER)


def test_a_normal_sharpe_ratio_has_the_error_of_lo() -> None:
    # (1 + 0.1^2 / 2) / 99 = 0.0101515, its root 0.100755; 0.1 / 0.100755 = 0.99251, and Phi(0.99251) = 0.83953.
    assert probabilistic_sharpe(Moments(100, 0.1, 0.0, 3.0)) == pytest.approx(0.83953, abs=1e-5)


def test_moments_by_hand() -> None:
    # Mean 2, deviations -1, -1, -1, 3: variance (n) 3, (n - 1) 4; third moment 24 / 4 = 6; fourth 84 / 4 = 21.
    found = moments(np.array([1.0, 1.0, 1.0, 5.0]))
    assert found is not None
    assert found == pytest.approx((4, 2 / 2, 6 / 3**1.5, 21 / 9))


def test_returns_that_do_not_vary_have_no_sharpe_ratio() -> None:
    assert moments(np.full(50, 0.01)) is None


def test_trials_that_are_all_the_same_are_one_trial() -> None:
    returns = np.random.default_rng(1).normal(size=250)
    assert effective_trials(np.vstack([returns, returns * 2, returns + 1])) == pytest.approx(1.0)


def test_trials_without_correlation_count_in_full() -> None:
    assert effective_trials(np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])) == pytest.approx(2.0)


def test_half_a_correlation_makes_two_trials_one_and_a_half() -> None:
    # Centred unit vectors at 60 degrees: r = 1/2, and 1/2 + 1/2 x 2 = 3/2.
    assert effective_trials(np.array([[1.0, -1, 0], [1.0, 0, -1]])) == pytest.approx(1.5)


def test_a_trial_that_is_always_best_is_not_overfitted() -> None:
    made = np.random.default_rng(2)
    returns = made.normal(0.0, 0.01, (20, 400))
    returns[7] += 0.02
    assert overfitting(returns) == 0.0


def test_a_trial_that_is_best_in_one_half_only_is_overfitted() -> None:
    # Each does well in its own blocks and badly in the rest, so that whoever is best inside is worst outside.
    returns = np.random.default_rng(3).normal(0.0, 1e-3, (10, 200)) - 0.01
    for trial in range(10):
        returns[trial, trial * 20 : trial * 20 + 20] += 0.2
    found = overfitting(returns)
    assert found is not None
    assert found > 0.9


def test_noise_is_about_a_coin() -> None:
    returns = np.random.default_rng(4).normal(size=(50, 600))
    assert overfitting(returns) == pytest.approx(0.5, abs=0.25)


@given(
    st.floats(-0.5, 0.5),
    st.integers(10, 5000),
    st.floats(1, 5000),
    st.floats(1, 5000),
    st.floats(0, 0.1),
)
def test_more_trials_never_make_the_best_more_believable(
    sharpe: float, count: int, few: float, many: float, variance: float
) -> None:
    of = Moments(count, sharpe, 0.0, 3.0)
    few, many = min(few, many), max(few, many)
    assert 0.0 <= deflated_sharpe(of, many, variance) <= deflated_sharpe(of, few, variance) + 1e-12 <= 1.0 + 1e-12
