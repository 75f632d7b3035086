"""European options by Black, Scholes and Merton: price, greeks and implied volatility.

Everywhere ``spot`` and ``strike`` are in the quote currency per unit of the underlying, ``years`` is the time to expiry
(365 days each), ``vol`` the yearly standard deviation of log returns (0.2 is 20 percent), ``rate`` and ``dividend`` are
continuous yearly rates (0.03 is 3 percent). Prices are per unit of the underlying, the contract's multiplier left out.

Formulas: J. C. Hull, Options, Futures, and Other Derivatives, 10th ed., chapters 17 and 19. An option is worth its
intrinsic value on the forward plus the price of the out-of-the-money option of the same strike (put-call parity). That
one is computed alone, so that deep in the money nothing is lost to the difference of two large figures.
"""

from __future__ import annotations

from math import erfc, exp, inf, isfinite, log, pi, sqrt
from typing import Final, NamedTuple

import msgspec

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Right

NANOS_PER_YEAR: Final = 365 * 86_400 * NANOS_PER_SECOND

_ROOT_HALF: Final = sqrt(0.5)
_DENSITY_AT_ZERO: Final = 1 / sqrt(2 * pi)
#: Standard deviations to expiry at which every option has reached its upper bound in double precision.
_WIDEST: Final = 80.0
_PRECISION: Final = 1e-14
_STEPS: Final = 200


class Greeks(msgspec.Struct, frozen=True, gc=False):
    """How a price moves: ``delta`` and ``gamma`` per unit of the spot, ``vega`` per 1.00 of volatility, ``theta`` per
    year that passes, ``rho`` per 1.00 of the rate."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


class _Terms(NamedTuple):
    """``tilt`` is -|ln(forward / strike)|, ``scale`` the discounted geometric mean of forward and strike, ``intrinsic``
    the discounted value of exercise at the forward."""

    tilt: float
    scale: float
    intrinsic: float


def years_between(start: int, end: int) -> float:
    """Years of 365 days from ``start`` to ``end`` (ns), zero when it is over."""
    return max(end - start, 0) / NANOS_PER_YEAR


def option_price(
    right: Right, spot: float, strike: float, years: float, vol: float, rate: float = 0.0, dividend: float = 0.0
) -> float:
    """The price of a European option; without time or volatility, its intrinsic value on the forward.

    Raises `InvalidValue` for a spot or strike that is not above zero and for a negative time or volatility.
    """
    terms = _terms(right, spot, strike, years, rate, dividend)
    if not (isfinite(vol) and vol >= 0):
        raise InvalidValue(f"vol must be zero or more, not {vol}")
    return terms.intrinsic + terms.scale * _time_value(terms.tilt, vol * sqrt(years))


def option_greeks(
    right: Right, spot: float, strike: float, years: float, vol: float, rate: float = 0.0, dividend: float = 0.0
) -> Greeks:
    """The greeks of a European option; raises `InvalidValue` as `option_price` does, and at expiry or without
    volatility, where they do not exist."""
    _terms(right, spot, strike, years, rate, dividend)
    deviation = vol * sqrt(years)
    if not (isfinite(deviation) and deviation > 0):
        raise InvalidValue(f"greeks need years and vol above zero, not years={years}, vol={vol}")
    sign = 1.0 if right is Right.CALL else -1.0
    d1 = (log(spot / strike) + (rate - dividend) * years) / deviation + deviation / 2
    carried, paid = spot * exp(-dividend * years), strike * exp(-rate * years)
    held, exercised = normal_cdf(sign * d1), normal_cdf(sign * (d1 - deviation))
    bend = carried * _density(d1)
    return Greeks(
        delta=sign * exp(-dividend * years) * held,
        gamma=bend / (spot * spot * deviation),
        vega=bend * sqrt(years),
        theta=-bend * vol / (2 * sqrt(years)) + sign * (dividend * carried * held - rate * paid * exercised),
        rho=sign * years * paid * exercised,
    )


def implied_volatility(
    right: Right, price: float, spot: float, strike: float, years: float, rate: float = 0.0, dividend: float = 0.0
) -> float | None:
    """The volatility at which `option_price` gives ``price``.

    None where no volatility does: at or below the intrinsic value on the forward, at or above the bound that no
    arbitrage sets (for a call the discounted forward, for a put the discounted strike), or at expiry. Raises
    `InvalidValue` as `option_price` does.

    Newton's method on the logarithm of the time value, which is smooth where the value itself vanishes, kept inside a
    bracket that is halved (by ratio) whenever a step would leave it.
    """
    terms = _terms(right, spot, strike, years, rate, dividend)
    value = (price - terms.intrinsic) / terms.scale
    if years <= 0 or not 0 < value < exp(terms.tilt / 2):
        return None
    deviation = _deviation_of(terms.tilt, value)
    return None if deviation is None else deviation / sqrt(years)


def normal_cdf(x: float) -> float:
    """The standard normal distribution, to full relative precision in both tails."""
    return 0.5 * erfc(-x * _ROOT_HALF)


def _density(x: float) -> float:
    return _DENSITY_AT_ZERO * exp(-x * x / 2)


def _terms(right: Right, spot: float, strike: float, years: float, rate: float, dividend: float) -> _Terms:
    for name, value in (("spot", spot), ("strike", strike)):
        if not (isfinite(value) and value > 0):
            raise InvalidValue(f"{name} must be more than zero, not {value}")
    if not (isfinite(years) and years >= 0):
        raise InvalidValue(f"years must be zero or more, not {years}")
    if not (isfinite(rate) and isfinite(dividend)):
        raise InvalidValue(f"rate and dividend must be finite, not rate={rate}, dividend={dividend}")
    carried, paid = spot * exp(-dividend * years), strike * exp(-rate * years)
    intrinsic = carried - paid if right is Right.CALL else paid - carried
    return _Terms(-abs(log(carried / paid)), sqrt(carried * paid), max(intrinsic, 0.0))


def _time_value(tilt: float, deviation: float) -> float:
    """The out-of-the-money option in units of `_Terms.scale`; ``deviation`` is the standard deviation to expiry."""
    if deviation <= 0:
        return 0.0
    middle, half = tilt / deviation, deviation / 2
    value = exp(tilt / 2) * normal_cdf(middle + half) - exp(-tilt / 2) * normal_cdf(middle - half)
    return max(value, 0.0)


def _deviation_of(tilt: float, value: float) -> float | None:
    """The deviation at which `_time_value` is ``value``, or None where double precision holds no answer."""
    low, high = 0.0, _WIDEST
    guess = max(sqrt(-2 * tilt), value)
    for _ in range(_STEPS):
        found = _time_value(tilt, guess)
        if found < value:
            low = guess
        else:
            high = guess
        slope = exp(tilt / 2) * _density(tilt / guess + guess / 2)
        step = found / slope * log(value / found) if found > 0 and slope > 0 else inf
        after = guess + step
        if not low < after < high:
            after = sqrt(low * high) if low > 0 else high / 2
        if abs(after - guess) <= _PRECISION * guess or high - low <= _PRECISION * high:
            return after
        guess = after
    return None
