"""What a run came to, in figures: of its curve, of its trades, and beside having bought and held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import numpy as np

from trading.engine.exact import exact
from trading.engine.records import plain
from trading.metrics import TRADING_DAYS, daily_levels, drawdowns, performance
from trading.results.periods import Floats, Ints, spread
from trading.results.trades import Execution, Trade, multiplier_of, round_trips

_NANOS_PER_DAY: Final = 86_400_000_000_000
_NOTHING: Final = Decimal(0)


def figures_of(
    times: Ints, equity: Floats, starting_cash: float, fills: Sequence[Execution], slippage: Decimal | None = None
) -> dict[str, Any]:
    """All figures of a run: ``times`` (n) in nanoseconds, ascending, ``equity`` (n) at each, ``fills`` as booked.

    Those of `trading.metrics.performance`, `curve_figures` and `trade_figures`, ready for JSON. ``slippage`` is what
    fills have cost beyond the prices before slippage, None where the venue cannot tell; ``results`` is how the results
    of round trips are spread, as ``[low, high, count]``.
    """
    paid = None if slippage is None else plain(slippage)
    trades = round_trips(fills)
    results = spread([float(trade.pnl) for trade in trades])
    return {
        **performance(times, equity, starting_cash),
        **curve_figures(times, equity, starting_cash),
        **trade_figures(trades),
        **trading_figures(times, equity, fills),
        "slippage": paid,
        "results": [[one.low, one.high, one.count] for one in results],
    }


def load() -> ModuleType:
    """The library of figures. Its import takes a second, which no command should pay that runs no backtest, and no
    backtest when it is asked to stop: so it is taken in as one begins."""
    return import_module("empyrical")


def curve_figures(times: Ints, equity: Floats, starting_cash: float) -> dict[str, Any]:
    """Figures of a curve by the library, from the returns that ``sharpe`` is made of (`trading.metrics`).

    ``annual_return`` is the yearly growth that compounds to the same end, ``volatility`` the standard deviation
    (n - 1) of returns x the square root of the periods of a year, ``sortino`` the mean return over the downside
    deviation (root mean square of what was below zero) x the same root. ``calmar`` is ``annual_return`` over
    ``max_drawdown``. ``drawdown_days`` is how long the deepest drawdown lasted from its peak to its recovery or, where
    it has not recovered, to the end; ``longest_drawdown_days`` the longest of all, in calendar days. None where a
    figure is not defined, annual growth among them for a curve of fewer than three days.
    """
    library = load()
    levels, per_year, is_daily = daily_levels(times, equity, starting_cash)
    returns = np.diff(levels) / levels[:-1] if len(levels) > 2 else np.empty(0)
    annual = _known(library.annual_return, returns, annualization=TRADING_DAYS) if is_daily else None
    deepest = drawdowns(equity, starting_cash)
    fall = float(deepest.max(initial=0.0))
    lengths = _drawdown_days(times, deepest)
    return {
        "annual_return": annual,
        "volatility": _known(library.annual_volatility, returns, annualization=per_year),
        "sortino": _known(library.sortino_ratio, returns, annualization=per_year),
        "calmar": None if annual is None or not fall else annual / fall,
        "drawdown_days": lengths[0],
        "longest_drawdown_days": lengths[1],
    }


def _known(figure: Callable[..., Any], returns: Floats, **options: Any) -> float | None:
    if not len(returns):
        return None
    found = float(figure(returns, **options))
    return found if math.isfinite(found) else None


def _drawdown_days(times: Ints, depths: Floats) -> tuple[float, float]:
    """The length of the deepest drawdown and of the longest, in days, from their peaks on."""
    if not len(times) or not depths.any():
        return 0.0, 0.0
    # A drawdown lasts from the last point at a peak, or the first point of all, to the next one.
    at_peak = np.flatnonzero(depths == 0)
    starts = np.unique(np.concatenate(([0], at_peak)))
    ends = np.append(starts[1:], len(times) - 1)
    lengths = (times[ends] - times[starts]) / _NANOS_PER_DAY
    deepest = int(np.searchsorted(starts, int(depths.argmax()), side="right")) - 1
    below = np.diff(np.append(starts, len(times))) > 1
    return float(lengths[deepest]), float(np.max(lengths, where=below, initial=0.0))


def trade_figures(trades: Sequence[Trade]) -> dict[str, Any]:
    """Figures of round trips, after fees.

    ``win_rate`` is the share of trades that gained; ``profit_factor`` what the gaining ones made over what the losing
    ones lost (None without a loss); ``average_trade``, ``best_trade`` and ``worst_trade`` are in the account's
    currency, to the cent; ``average_hold`` is in seconds. All but ``trades`` are None without a trade.
    """
    if not trades:
        none = ("win_rate", "profit_factor", "average_trade", "best_trade", "worst_trade", "average_hold")
        return {"trades": 0, **dict.fromkeys(none)}
    results = [trade.pnl for trade in trades]
    won = sum((one for one in results if one > 0), _NOTHING)
    lost = -sum((one for one in results if one < 0), _NOTHING)
    return {
        "trades": len(trades),
        "win_rate": sum(one > 0 for one in results) / len(trades),
        "profit_factor": float(won / lost) if lost else None,
        "average_trade": _cents((won - lost) / len(trades)),
        "best_trade": _cents(max(results)),
        "worst_trade": _cents(min(results)),
        "average_hold": sum(trade.exit_time - trade.entry_time for trade in trades) / len(trades) / 1e9,
    }


def _cents(amount: Decimal) -> str:
    return plain(round(amount, 2))


@exact
def trading_figures(times: Ints, equity: Floats, fills: Sequence[Execution]) -> dict[str, Any]:
    """``exposure``: the share of the curve's points at which something was held; ``turnover``: the value of all that
    was bought and sold over the average equity; ``fees``: what was paid, in the account's currency."""
    traded = sum((fill.qty * fill.price * multiplier_of(fill.symbol) for fill in fills), _NOTHING)
    average = float(np.mean(equity)) if len(equity) else 0.0
    return {
        "exposure": _exposure(times, fills),
        "turnover": float(traded) / average if average > 0 else None,
        "fees": plain(sum((fill.fee for fill in fills), _NOTHING)),
    }


def _exposure(times: Ints, fills: Iterable[Execution]) -> float:
    if not len(times):
        return 0.0
    held: dict[str, Decimal] = {}
    moments, counts = [], [0]
    for fill in fills:
        before = held.get(fill.symbol, _NOTHING)
        after = before + fill.qty if fill.side == "buy" else before - fill.qty
        held[fill.symbol] = after
        moments.append(fill.time)
        counts.append(counts[-1] + bool(after) - bool(before))
    after_fills = np.searchsorted(np.array(moments, np.int64), times, side="right")
    return float(np.count_nonzero(np.array(counts)[after_fills])) / len(times)
