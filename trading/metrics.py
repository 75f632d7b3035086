"""Performance figures of an equity curve."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from trading.connections import connect
from trading.engine.bars import to_nanos

TRADING_DAYS: Final = 252
_NANOS_PER_DAY: Final = 86_400_000_000_000
_FEWEST_DAILY_RETURNS: Final = 2


def performance(times: npt.NDArray[np.int64], equity: npt.NDArray[np.float64], starting_cash: float) -> dict[str, Any]:
    """Figures of a curve: ``times`` (n) in nanoseconds, ascending, ``equity`` (n) in the account's currency.

    ``total_return`` is the last equity over ``starting_cash``, less one; ``max_drawdown`` the deepest fall from an
    earlier peak, as a fraction of that peak (0.1 is 10%), the starting cash being the first peak; ``sharpe`` is
    mean / standard deviation (n - 1) of daily returns (last equity of each UTC day) x sqrt(252), no risk-free rate.
    A curve of fewer than three days has no daily returns to speak of; its bar returns are used, with 252 times the bars
    of a day as the bars of a year. None where a figure is not defined.
    """
    if len(equity) == 0:
        return {"total_return": 0.0, "max_drawdown": 0.0, "sharpe": None}
    return {
        "total_return": float(equity[-1] / starting_cash - 1.0),
        "max_drawdown": float(drawdowns(equity, starting_cash).max()),
        "sharpe": _sharpe(times, equity, starting_cash),
    }


def drawdowns(equity: npt.NDArray[np.float64], starting_cash: float) -> npt.NDArray[np.float64]:
    """How far each point (n) lies below the highest before it, as a fraction of that; the cash is the first peak."""
    peaks = np.maximum(np.maximum.accumulate(equity), starting_cash)
    return np.asarray((peaks - equity) / peaks)


def one_per_stamp(
    times: npt.NDArray[np.int64], equity: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The curve with one point per stamp: where bars of several symbols share it, the last one."""
    last = np.append(np.diff(times) != 0, True)[: len(times)]
    # The curve of one symbol is long, and its own.
    return (times, equity) if last.all() else (times[last], equity[last])


def performance_of_session(run_id: UUID, starting_cash: Decimal) -> dict[str, Any]:
    """`performance` over the equity points that a session has written."""
    with connect() as database:
        query = "SELECT time, equity FROM equity_points WHERE run_id = %s ORDER BY time"
        rows = database.execute(query, [run_id]).fetchall()
    times = np.fromiter((to_nanos(row[0]) for row in rows), np.int64, len(rows))
    equity = np.fromiter((float(row[1]) for row in rows), np.float64, len(rows))
    return performance(times, equity, float(starting_cash))


def daily_levels(
    times: npt.NDArray[np.int64], equity: npt.NDArray[np.float64], starting_cash: float
) -> tuple[npt.NDArray[np.float64], float, bool]:
    """The levels that returns are taken between, the returns of a year, and whether they are of days.

    The starting cash, then the last equity of each UTC day; of each bar where there are fewer than three days.
    """
    days = times // _NANOS_PER_DAY
    last_of_day = np.flatnonzero(np.append(np.diff(days) != 0, True)[: len(days)])
    if len(last_of_day) > _FEWEST_DAILY_RETURNS:
        return np.concatenate(([starting_cash], equity[last_of_day])), TRADING_DAYS, True
    per_year = TRADING_DAYS * len(equity) / max(len(last_of_day), 1)
    return np.concatenate(([starting_cash], equity)), per_year, False


def scaled_from_bars(metrics: Mapping[str, Any]) -> bool:
    """Whether the Sharpe ratio of a backtest is of fewer than three days, which have no annual return."""
    return metrics.get("sharpe") is not None and metrics.get("annual_return") is None


def _sharpe(times: npt.NDArray[np.int64], equity: npt.NDArray[np.float64], starting_cash: float) -> float | None:
    levels, per_year, _ = daily_levels(times, equity, starting_cash)
    returns = np.diff(levels) / levels[:-1]
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    if deviation == 0.0 or not np.isfinite(deviation):
        return None
    return float(np.mean(returns)) / deviation * float(np.sqrt(per_year))
