"""What counts as better, over many trials at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def scores(objective: str, returns: Floats, per_year: float) -> Floats:
    """The objective of each trial (m) by its returns (m x n periods); nan where it is not defined.

    ``sharpe`` is mean / deviation (n - 1) x sqrt(periods of a year); ``sortino`` the same by the root of the mean
    square of the negative returns; ``calmar`` the annualised return over the deepest fall of the compounded curve;
    ``total_return`` the compounded return.
    """
    count = returns.shape[1]
    if objective == "total_return":
        return np.asarray(np.prod(1 + returns, axis=1) - 1)
    if objective == "calmar":
        curve = np.cumprod(1 + returns, axis=1)
        peaks = np.maximum.accumulate(np.maximum(curve, 1.0), axis=1)
        annual = np.maximum(curve[:, -1], 0.0) ** (per_year / count) - 1
        return _over(annual, np.max(1 - curve / peaks, axis=1))
    mean = returns.mean(axis=1)
    if objective == "sortino":
        return _over(mean, np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2, axis=1))) * float(np.sqrt(per_year))
    if objective == "sharpe":
        deviation = np.std(returns, axis=1, ddof=1) if count > 1 else np.zeros(len(returns))
        return _over(mean, deviation) * float(np.sqrt(per_year))
    raise ValueError(f"{objective} is no objective")


def _over(figure: Floats, risk: Floats) -> Floats:
    return np.asarray(np.divide(figure, risk, out=np.full(len(figure), np.nan), where=risk > 1e-14))
