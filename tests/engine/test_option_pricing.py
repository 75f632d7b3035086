import math

import pytest
import QuantLib
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.engine.errors import InvalidValue
from trading.engine.instruments import Right
from trading.engine.option_pricing import implied_volatility, option_greeks, option_price, years_between

RIGHTS = st.sampled_from(list(Right))
SPOTS = st.floats(1, 1000)
MONEYNESS = st.floats(-0.7, 0.7)
YEARS = st.floats(1 / 365, 5)
VOLS = st.floats(0.05, 1.5)
RATES = st.floats(-0.02, 0.1)


def the_other(right, spot, strike, years, vol, rate, dividend):
    """The same option by QuantLib."""
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if right is Right.CALL else QuantLib.Option.Put, strike)
    forward = spot * math.exp((rate - dividend) * years)
    return QuantLib.BlackCalculator(payoff, forward, vol * math.sqrt(years), math.exp(-rate * years))


def test_a_price_worked_by_hand():
    """Hull, 10th ed., example 15.6: spot 42, strike 40, half a year, 10 percent, 20 percent."""
    assert option_price(Right.CALL, 42, 40, 0.5, 0.2, 0.1) == pytest.approx(4.76, abs=0.005)
    assert option_price(Right.PUT, 42, 40, 0.5, 0.2, 0.1) == pytest.approx(0.81, abs=0.005)


@given(RIGHTS, SPOTS, MONEYNESS, YEARS, VOLS, RATES, RATES)
def test_prices_and_greeks_are_those_of_quantlib(right, spot, moneyness, years, vol, rate, dividend):
    strike = spot * math.exp(moneyness)
    other = the_other(right, spot, strike, years, vol, rate, dividend)
    terms = (right, spot, strike, years, vol, rate, dividend)
    greeks = option_greeks(*terms)
    close = {"rel": 1e-8, "abs": 1e-10 * spot}
    assert option_price(*terms) == pytest.approx(other.value(), **close)
    assert greeks.delta == pytest.approx(other.delta(spot), rel=1e-8, abs=1e-10)
    assert greeks.gamma == pytest.approx(other.gamma(spot), rel=1e-8, abs=1e-10)
    assert greeks.vega == pytest.approx(other.vega(years), **close)
    assert greeks.theta == pytest.approx(other.theta(spot, years), rel=1e-6, abs=1e-7 * spot)
    assert greeks.rho == pytest.approx(other.rho(years), **close)


@given(SPOTS, MONEYNESS, YEARS, VOLS, RATES, RATES)
def test_a_call_less_a_put_is_the_forward_less_the_strike(spot, moneyness, years, vol, rate, dividend):
    strike = spot * math.exp(moneyness)
    call = option_price(Right.CALL, spot, strike, years, vol, rate, dividend)
    put = option_price(Right.PUT, spot, strike, years, vol, rate, dividend)
    forward = spot * math.exp(-dividend * years) - strike * math.exp(-rate * years)
    assert call - put == pytest.approx(forward, abs=1e-12 * spot)


@given(RIGHTS, SPOTS, MONEYNESS, YEARS, VOLS, RATES, RATES)
def test_the_implied_volatility_of_a_price_is_the_one_that_made_it(right, spot, moneyness, years, vol, rate, dividend):
    terms = (spot, spot * math.exp(moneyness), years)
    price = option_price(right, *terms, vol, rate, dividend)
    # What a price can tell of the volatility ends with its last digit.
    vega = option_greeks(right, *terms, vol, rate, dividend).vega
    precision = 1e-13 * max(price, spot * 1e-4)
    assume(precision < 1e-3 * vol * vega)
    found = implied_volatility(right, price, *terms, rate, dividend)
    assert found == pytest.approx(vol, rel=1e-9, abs=20 * precision / vega)


@pytest.mark.parametrize("strike", [150, 200, 300])
def test_far_out_of_the_money_the_volatility_is_found_from_next_to_nothing(strike):
    price = option_price(Right.CALL, 100, strike, 0.05, 0.2)
    assert 0 < price < 1e-15
    assert implied_volatility(Right.CALL, price, 100, strike, 0.05) == pytest.approx(0.2, rel=1e-10)


def test_deep_in_the_money_the_volatility_is_found_as_long_as_the_price_holds_it():
    price = option_price(Right.CALL, 100, 60, 0.25, 0.4)
    assert implied_volatility(Right.CALL, price, 100, 60, 0.25) == pytest.approx(0.4, rel=1e-9)


@pytest.mark.parametrize(
    ("right", "price"),
    [
        (Right.CALL, 10.0),
        (Right.CALL, 9.0),
        (Right.CALL, 100.0),
        (Right.CALL, 120.0),
        (Right.PUT, 0.0),
        (Right.PUT, 90.0),
        (Right.PUT, math.nan),
    ],
)
def test_a_price_outside_of_the_bounds_of_no_arbitrage_has_no_volatility(right, price):
    assert implied_volatility(right, price, 100, 90, 0.5) is None


def test_at_expiry_an_option_is_worth_what_its_exercise_brings():
    assert option_price(Right.CALL, 105, 100, 0, 0.2) == pytest.approx(5)
    assert option_price(Right.PUT, 105, 100, 0, 0.2) == 0
    assert implied_volatility(Right.CALL, 6, 105, 100, 0) is None


@given(RIGHTS, MONEYNESS, st.floats(0.05, 2), st.floats(0.1, 1), RATES, RATES)
def test_greeks_are_the_slopes_of_the_price(right, moneyness, years, vol, rate, dividend):
    spot, strike = 100.0, 100 * math.exp(moneyness)

    def price(up=0.0, later=0.0, wilder=0.0, dearer=0.0):
        return option_price(right, spot + up, strike, years - later, vol + wilder, rate + dearer, dividend)

    greeks = option_greeks(right, spot, strike, years, vol, rate, dividend)
    step = 1e-4
    assert greeks.delta == pytest.approx((price(up=step) - price(up=-step)) / (2 * step), abs=1e-6)
    assert greeks.gamma == pytest.approx((price(up=0.01) - 2 * price() + price(up=-0.01)) / 1e-4, abs=1e-5)
    assert greeks.vega == pytest.approx((price(wilder=step) - price(wilder=-step)) / (2 * step), abs=1e-3)
    assert greeks.theta == pytest.approx((price(later=step) - price(later=-step)) / (2 * step), abs=1e-2)
    assert greeks.rho == pytest.approx((price(dearer=step) - price(dearer=-step)) / (2 * step), abs=1e-3)


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ((0, 100, 1, 0.2), "spot"),
        ((100, -1, 1, 0.2), "strike"),
        ((100, 100, -1, 0.2), "years"),
        ((100, 100, 1, math.nan), "vol"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_name(terms, named):
    with pytest.raises(InvalidValue, match=named):
        option_price(Right.CALL, *terms)


def test_greeks_do_not_exist_at_expiry():
    with pytest.raises(InvalidValue, match="years"):
        option_greeks(Right.CALL, 100, 100, 0, 0.2)


def test_years_are_of_365_days_and_end_with_the_option():
    day = 86_400 * 10**9
    assert years_between(5 * day, 78 * day) == pytest.approx(0.2)
    assert years_between(2 * day, day) == 0
