import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.engine.volatility import MINUTE, MINUTES_PER_YEAR, RealisedVariance, Smile, moneyness

STEPS = st.lists(st.tuples(st.integers(1, 20), st.floats(-0.02, 0.02)), min_size=1, max_size=40)
POINTS = st.lists(
    st.tuples(st.floats(-2, 2), st.floats(0.05, 0.8), st.floats(0.1, 10), st.integers(0, 30)), min_size=1, max_size=30
)


def test_a_variance_worked_by_hand():
    """Two returns of one percent in a minute each: 0.0002 in two minutes, 9.828 in a year of 98,280."""
    variance = RealisedVariance(halflife=1e12)
    for minute in range(3):
        variance.update(100 * math.exp(0.01 * minute), minute * MINUTE)
    assert variance.value == pytest.approx(0.0001 * MINUTES_PER_YEAR)


def test_after_its_half_life_a_return_counts_half():
    variance = RealisedVariance(halflife=10)
    variance.update(100, 0)
    variance.update(101, MINUTE)
    before = variance.moves
    for minute in range(2, 12):
        variance.update(101, minute * MINUTE)
    assert variance.moves == pytest.approx(before / 2)


@given(STEPS, st.floats(5, 500))
def test_the_variance_is_the_faded_mean_of_squared_returns(steps, halflife):
    variance = RealisedVariance(halflife)
    variance.update(100.0, 0)
    time, price = 0, 100.0
    ends, lengths, moves = [], [], []
    for minutes, move in steps:
        time, price = time + minutes * MINUTE, price * math.exp(move)
        variance.update(price, time)
        ends.append(time / MINUTE), lengths.append(minutes), moves.append(move)
    weights = 0.5 ** ((time / MINUTE - np.array(ends)) / halflife)
    expected = np.sum(weights * np.square(moves)) / np.sum(weights * lengths) * MINUTES_PER_YEAR
    assert variance.value == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_night_is_left_out():
    variance = RealisedVariance(halflife=60)
    variance.update(100, 0)
    variance.update(101, MINUTE)
    before = variance.value
    variance.update(150, 1000 * MINUTE)
    assert variance.value == before


def test_nothing_is_known_before_the_first_return():
    assert RealisedVariance(60).value == 0
    assert not Smile(10).is_known


def test_a_smile_that_is_a_parabola_is_found():
    smile = Smile(halflife=1e9)
    for x in np.linspace(-2, 2, 41):
        smile.learn(float(x), 0.2 - 0.03 * x + 0.02 * x * x, 1.0, 0)
    for x in (-1.5, 0.0, 0.7):
        assert smile.vol(x) == pytest.approx(0.2 - 0.03 * x + 0.02 * x * x, abs=0.001)


@given(POINTS, st.floats(1, 100))
def test_the_fit_is_that_of_weighted_least_squares(points, halflife):
    smile = Smile(halflife)
    time, times = 0, []
    for x, vol, weight, minutes in points:
        time += minutes * MINUTE
        times.append(time / MINUTE)
        smile.learn(x, vol, weight, time)
    x, vol, weight = np.array([point[:3] for point in points]).T
    weight = weight * 0.5 ** ((times[-1] - np.array(times)) / halflife)
    weight /= weight.sum()
    terms = np.stack([np.ones_like(x), x, x * x])
    ridge = np.diag([0, 0.01, 0.01])
    expected = np.linalg.solve((terms * weight) @ terms.T + ridge, (terms * weight) @ vol)
    assert np.allclose(smile.curve(), expected, rtol=1e-5, atol=1e-6)


def test_one_strike_gives_a_level():
    smile = Smile(10)
    smile.learn(0.0, 0.25, 1.0, 0)
    assert smile.curve() == pytest.approx((0.25, 0, 0))


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_quote_without_a_weight_teaches_nothing(weight):
    smile = Smile(10)
    smile.learn(0.0, 0.25, weight, 0)
    assert not smile.is_known


def test_moneyness_counts_standard_deviations_at_twenty_percent():
    assert moneyness(100, 100 * math.exp(0.2), 1.0) == pytest.approx(1)
    assert moneyness(100, 100, 0.1) == 0
