"""What buying the universe and holding it would have come to."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from trading.engine.bars import Bar
from trading.engine.instruments import instrument_of
from trading.metrics import one_per_stamp, performance
from trading.results.figures import Floats, Ints, curve_figures

#: Points of the curve that is kept to be drawn.
MOST_POINTS: Final = 240
_KEPT: Final = ("total_return", "annual_return", "volatility", "sharpe", "sortino", "max_drawdown")


def buy_and_hold(
    bars: Iterable[Bar], universe: Sequence[str], starting_cash: float, last: int | None = None
) -> tuple[Ints, Floats]:
    """The curve of an equal part of the cash in each symbol, bought at the open of its first bar and never sold, up to
    the bar of time ``last``: times (n) and equity (n). Without fees, slippage or rounding to lots.

    Options are left out: they do not outlive their expiry.
    """
    wanted = {symbol for symbol in universe if instrument_of(symbol).option is None}
    times, equity = array("q"), array("d")
    if not wanted:
        return np.empty(0, np.int64), np.empty(0)
    part = starting_cash / len(wanted)
    units: dict[str, float] = {}
    closes: dict[str, float] = {}
    value = starting_cash
    add_time, add_equity = times.append, equity.append
    for bar in bars:
        if last is not None and bar.time > last:
            break
        symbol, close = bar.symbol, bar.close
        if symbol in closes:
            value += units[symbol] * (close - closes[symbol])
        elif symbol in wanted:
            units[symbol] = part / bar.open
            value += units[symbol] * (close - bar.open)
        else:
            continue
        closes[symbol] = close
        add_time(bar.time)
        add_equity(value)
    return one_per_stamp(np.frombuffer(times, np.int64), np.frombuffer(equity, np.float64))


def benchmark_of(times: Ints, equity: Floats, starting_cash: float) -> dict[str, Any] | None:
    """The figures of such a curve, and the curve itself thinned to ``[[seconds, equity]]``; None for an empty one."""
    if not len(times):
        return None
    known = {**performance(times, equity, starting_cash), **curve_figures(times, equity, starting_cash)}
    kept = np.unique(np.linspace(0, len(times) - 1, min(MOST_POINTS, len(times))).astype(np.int64))
    curve = np.column_stack((times[kept] / 1e9, np.round(equity[kept], 2)))
    return {**{name: known[name] for name in _KEPT}, "curve": curve.tolist()}
