"""What the market does and what its options imply, learned bar by bar."""

from __future__ import annotations

from math import isfinite, log, sqrt
from typing import Final

import msgspec

from trading.engine.bars import NANOS_PER_SECOND

MINUTE: Final = 60 * NANOS_PER_SECOND
#: A year of trading: 252 sessions of 390 minutes.
MINUTES_PER_YEAR: Final = 252 * 390

_LONGEST_STEP: Final = 30 * MINUTE
_REFERENCE: Final = 0.2
_RIDGE: Final = 0.01
_WIDEST: Final = 3.0
_LEAST: Final = 0.01


class RealisedVariance(msgspec.Struct):
    """The variance of a price's log returns, those of ``halflife`` minutes ago counting half.

    A return counts with the time that it took, so that missing bars change nothing; one over more than half an hour (a
    night, a halt) is left out. ``moves`` is the faded sum of squared returns, ``minutes`` the faded sum of their times.
    """

    halflife: float
    price: float = 0.0
    time: int = 0
    moves: float = 0.0
    minutes: float = 0.0

    def update(self, price: float, time: int) -> None:
        """Take a price (above zero) at a later time (ns)."""
        step = time - self.time
        if self.price and 0 < step <= _LONGEST_STEP:
            elapsed = step / MINUTE
            fade = 0.5 ** (elapsed / self.halflife)
            self.moves = self.moves * fade + log(price / self.price) ** 2
            self.minutes = self.minutes * fade + elapsed
        self.price, self.time = price, time

    @property
    def value(self) -> float:
        """Per year of trading: 0.04 is a volatility of 20 percent. Zero before the first return."""
        return self.moves / self.minutes * MINUTES_PER_YEAR if self.minutes else 0.0


class Smile(msgspec.Struct):
    """The implied volatilities of one expiry: a parabola in moneyness, fitted by weighted least squares in which what
    was seen ``halflife`` minutes ago counts half.

    Only the sums of the fit are kept. Slope and curvature are held towards zero by a small ridge, so that few strikes
    give a plain level.
    """

    halflife: float
    time: int = 0
    powers: list[float] = msgspec.field(default_factory=lambda: [0.0] * 5)
    products: list[float] = msgspec.field(default_factory=lambda: [0.0] * 3)

    @property
    def is_known(self) -> bool:
        return self.powers[0] > 0

    def learn(self, x: float, vol: float, weight: float, time: int) -> None:
        """Take an implied volatility at moneyness ``x`` (see `moneyness`), seen at ``time`` (ns, never earlier than the
        last). The weight of one with an error of s is 1 / s^2."""
        if not (isfinite(weight) and weight > 0):
            return
        fade = 0.5 ** ((time - self.time) / MINUTE / self.halflife)
        self.time = time
        self.powers = [total * fade + weight * x**power for power, total in enumerate(self.powers)]
        self.products = [total * fade + weight * vol * x**power for power, total in enumerate(self.products)]

    def curve(self) -> tuple[float, float, float]:
        """Level, slope and curvature of the fitted parabola; only once something is known."""
        _, first, second, third, fourth = (power / self.powers[0] for power in self.powers)
        level, tilt, bend = (product / self.powers[0] for product in self.products)
        # The level is eliminated from the three normal equations, then Cramer's rule solves the two that are left.
        xx, xz, zz = second - first * first + _RIDGE, third - first * second, fourth - second * second + _RIDGE
        x, z = tilt - first * level, bend - second * level
        determinant = xx * zz - xz * xz
        slope, curvature = (x * zz - z * xz) / determinant, (z * xx - x * xz) / determinant
        return level - slope * first - curvature * second, slope, curvature

    def vol(self, x: float) -> float:
        """The fitted volatility at moneyness ``x``."""
        level, slope, curvature = self.curve()
        x = min(max(x, -_WIDEST), _WIDEST)
        return max(level + x * (slope + x * curvature), _LEAST)


def moneyness(forward: float, strike: float, years: float) -> float:
    """The strike's distance from the forward in standard deviations at a volatility of 20 percent."""
    return log(strike / forward) / (_REFERENCE * sqrt(years))
