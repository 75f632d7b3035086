"""How much of a good backtest is luck: the probabilistic and the deflated Sharpe ratio, and backtest overfitting.

Sharpe ratios here are those of one period (not annualised): mean over standard deviation (n - 1) of the returns.

- Bailey, López de Prado (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2).
- Bailey, López de Prado (2014), "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and
  Non-Normality", Journal of Portfolio Management 40(5).
- Bailey, Borwein, López de Prado, Zhu (2017), "The Probability of Backtest Overfitting", Journal of Computational
  Finance 20(4).
"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NORMAL: Final = NormalDist()
_FEWEST_RETURNS: Final = 3


class Moments(NamedTuple):
    """Of a trial's returns: their number, Sharpe ratio of one period, skewness, and kurtosis (a normal's is 3)."""

    periods: int
    sharpe: float
    skew: float
    kurtosis: float


def moments(returns: Floats) -> Moments | None:
    """The moments of ``returns`` (n); None for fewer than three, or where they do not vary."""
    if len(returns) < _FEWEST_RETURNS:
        return None
    deviation = float(np.std(returns, ddof=1))
    if not math.isfinite(deviation) or deviation <= 1e-14:
        return None
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    return Moments(
        periods=len(returns),
        sharpe=float(returns.mean()) / deviation,
        skew=float(np.mean(centred**3)) / variance**1.5,
        kurtosis=float(np.mean(centred**4)) / variance**2,
    )


def probabilistic_sharpe(of: Moments, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio is above ``benchmark`` (of one period).

    Bailey and López de Prado (2012), equation 11; its standard error is Mertens' (2002), for returns that are not
    normal.
    """
    spread = 1 - of.skew * of.sharpe + (of.kurtosis - 1) / 4 * of.sharpe**2
    # Not negative for any returns (kurtosis >= 1 + skew^2), but for rounding.
    error = math.sqrt(max(spread, 1e-12) / (of.periods - 1))
    return _NORMAL.cdf((of.sharpe - benchmark) / error)


def expected_best(trials: float, variance: float) -> float:
    """The Sharpe ratio that the best of so many worthless trials is expected to show.

    ``variance`` is that of the trials' Sharpe ratios. Bailey and López de Prado (2014), equation 1; of a single trial
    nothing was chosen, so that zero is expected.
    """
    if trials <= 1:
        return 0.0
    gamma = float(np.euler_gamma)
    quantiles = (1 - gamma) * _NORMAL.inv_cdf(1 - 1 / trials) + gamma * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * max(0.0, quantiles)


def deflated_sharpe(best: Moments, trials: float, variance: float) -> float:
    """The probability that the best trial's true Sharpe ratio is above what luck alone makes of so many trials.

    Bailey and López de Prado (2014), equation 2.
    """
    return probabilistic_sharpe(best, expected_best(trials, variance))


def effective_trials(returns: Floats) -> float:
    """How many independent trials ``returns`` (trials x periods) are worth: ``r + (1 - r) m``.

    ``r`` is the average correlation between two of the m trials, negative counted as none. Bailey and López de Prado
    (2014), appendix A.3. Trials that do not vary are left out.
    """
    varying = returns[np.ptp(returns, axis=1) > 0] if len(returns) else returns
    count = len(varying)
    if count < 2:
        return float(count)
    centred = varying - varying.mean(axis=1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    # The sum over all pairs without the matrix of all pairs: |sum of unit vectors|^2 = m + sum over i != j.
    total = float(np.sum(unit.sum(axis=0) ** 2))
    average = max(0.0, (total - count) / (count * (count - 1)))
    return average + (1 - average) * count


def overfitting(returns: Floats, blocks: int = 10) -> float | None:
    """The probability that the best trial in sample is below the median out of sample; ``returns`` trials x periods.

    Combinatorially symmetric cross-validation by the Sharpe ratio: the periods are cut into ``blocks`` (even), each
    half of them is in sample once. Bailey et al. (2017), section 2.2. None for fewer than two trials, or two periods a
    block.
    """
    trials, periods = returns.shape
    length = periods // blocks
    if trials < 2 or length < 2:
        return None
    cut = returns[:, : length * blocks].reshape(trials, blocks, length)
    sums, squares = cut.sum(axis=2), (cut**2).sum(axis=2)
    halves = [np.array(half) for half in combinations(range(blocks), blocks // 2)]
    everything = np.arange(blocks)
    below = 0.0
    for inside in halves:
        outside = np.setdiff1d(everything, inside)
        chosen = int(np.argmax(_sharpes(sums[:, inside], squares[:, inside], length)))
        shown = _sharpes(sums[:, outside], squares[:, outside], length)
        # Ties count half, so that trials which are all the same are no better than a coin.
        rank = (np.sum(shown < shown[chosen]) + 0.5 * (np.sum(shown == shown[chosen]) - 1)) / (trials - 1)
        below += 1.0 if rank < 0.5 else 0.5 if rank == 0.5 else 0.0
    return below / len(halves)


def _sharpes(sums: Floats, squares: Floats, length: int) -> Floats:
    """Sharpe ratios (trials) from the blocks' sums and sums of squares (trials x blocks); 0 without deviation."""
    count = sums.shape[1] * length
    mean = sums.sum(axis=1) / count
    variance = np.maximum(0.0, squares.sum(axis=1) / count - mean**2) * count / (count - 1)
    return np.asarray(np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 1e-28))
