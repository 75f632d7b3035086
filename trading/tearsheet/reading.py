"""From a run in the database to all that its tear sheet shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np

from trading.engine.bars import to_nanos
from trading.ledger import read_curve
from trading.metrics import daily_levels, drawdowns
from trading.models import EquityCurve, EquityPoint, Fill, Run
from trading.queries import ACTIVE
from trading.results import Execution, Trade, figures_of, round_trips
from trading.results.figures import Floats, Ints
from trading.results.periods import Bin, Year, daily_returns, monthly, spread
from trading.tearsheet.figures import Group, grouped, with_excess

#: A chart is no sharper for more points than a screen has columns.
MOST_POINTS: Final = 1200
_KEPT: Final = 16


class Curve(NamedTuple):
    times: Ints
    equity: Floats


class Sheet(NamedTuple):
    """What a tear sheet shows beside its charts and trades. ``first`` and ``last`` are in nanoseconds; ``daily`` says
    whether the figures are those of days, or of bars where there are too few days."""

    groups: list[Group]
    metrics: dict[str, Any]
    months: list[Year]
    days: list[Bin]
    results: list[Bin]
    first: int
    last: int
    daily: bool


def curve_of(run: Run) -> Curve:
    """The equity of a run at each of its bars, whole."""
    kept = EquityCurve.objects.filter(pk=run.pk).first()
    if kept is not None:
        return Curve(*read_curve(kept.times, kept.equity))
    points = EquityPoint.objects.filter(run=run).order_by("time").values_list("time", "equity")
    rows = [(to_nanos(time), float(equity)) for time, equity in points.iterator(chunk_size=10_000)]
    return Curve(np.array([time for time, _ in rows], np.int64), np.array([equity for _, equity in rows], np.float64))


def sheet_of(run: Run) -> Sheet | None:
    """The sheet of a run; None while it has no equity to speak of.

    The figures of an ended backtest are those that it was recorded with; of any other run they are reckoned here, from
    what is booked so far.
    """
    times, equity = curve_of(run)
    if not len(times):
        return None
    cash = float(run.starting_cash)
    trades = trades_of(run)
    metrics = run.metrics if "trades" in run.metrics else figures_of(times, equity, cash, list(_fills(run.pk)))
    return Sheet(
        grouped(metrics),
        metrics,
        monthly(times, equity, cash),
        spread(daily_returns(times, equity, cash)),
        spread([float(trade.pnl) for trade in trades]),
        int(times[0]),
        int(times[-1]),
        daily_levels(times, equity, cash)[2],
    )


def metrics_of(run: Run) -> dict[str, Any]:
    """All figures of a run: as it was recorded with, or reckoned from what is booked so far."""
    if "trades" in run.metrics:
        return with_excess(run.metrics)
    times, equity = curve_of(run)
    if not len(times):
        return {}
    return with_excess(figures_of(times, equity, float(run.starting_cash), list(_fills(run.pk))))


def trades_of(run: Run) -> Sequence[Trade]:
    """The round trips of a run, in order of their exits. An ended run's never change, and are remembered."""
    return _matched(run.pk) if run.status in ACTIVE else _remembered(run.pk)


@lru_cache(maxsize=_KEPT)
def _remembered(run_id: UUID) -> Sequence[Trade]:
    return _matched(run_id)


def _matched(run_id: UUID) -> Sequence[Trade]:
    return round_trips(_fills(run_id))


def _fills(run_id: UUID) -> Iterator[Execution]:
    found = Fill.objects.filter(run=run_id).order_by("seq")
    columns = found.values_list("filled_at", "symbol", "side", "qty", "price", "fee")
    for filled_at, symbol, side, qty, price, fee in columns.iterator(chunk_size=10_000):
        yield Execution(to_nanos(filled_at), symbol, side, qty, price, fee)


def thinned(length: int, most: int = MOST_POINTS) -> Ints:
    """The indices of at most ``most`` of so many points, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).astype(np.int64))


class Lines(NamedTuple):
    """What the charts of equity draw, as ``(seconds, value)``; ``drawdown`` in percent, zero or less."""

    equity: list[tuple[float, float]]
    drawdown: list[tuple[float, float]]
    holding: list[tuple[float, float]]


def lines_of(run: Run) -> Lines:
    times, equity = curve_of(run)
    if not len(times):
        return Lines([], [], [])
    depths = drawdowns(equity, float(run.starting_cash))
    kept = _with_extremes(depths, equity)
    seconds = (times[kept] / 1e9).tolist()
    return Lines(
        list(zip(seconds, equity[kept].tolist(), strict=True)),
        list(zip(seconds, (-100 * depths[kept]).tolist(), strict=True)),
        [tuple(point) for point in (run.metrics.get("benchmark") or {}).get("curve", [])],
    )


def _with_extremes(depths: Floats, equity: Floats) -> Ints:
    """Thinned, but never without the highest equity and the deepest drawdown, which the figures speak of."""
    extremes = [int(depths.argmax()), int(equity.argmax())]
    return np.union1d(thinned(len(equity)), np.array(extremes, np.int64))
