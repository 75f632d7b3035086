"""From a run in the database to all that its tear sheet shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import F, Max, Sum

from trading.engine.bars import to_datetime, to_nanos
from trading.engine.orders import Side
from trading.engine.records import plain
from trading.ledger import read_curve
from trading.metrics import daily_levels, drawdowns, performance
from trading.models import EquityCurve, Fill, Position, Run
from trading.queries import ACTIVE
from trading.results import Execution, Trade, figures_of, round_trips
from trading.results.figures import curve_figures, trade_figures
from trading.results.periods import Bin, Floats, Ints, Year, daily_returns, monthly, spread
from trading.results.trades import multiplier_of
from trading.tearsheet.figures import Group, grouped, with_excess

# Microseconds since the epoch; in floats, for nothing is booked from them.
_POINTS: Final = """
    SELECT (extract(epoch FROM time) * 1000000)::bigint, equity::float8
      FROM equity_points WHERE run_id = %s AND time >= %s ORDER BY time
"""
#: A chart is no sharper for more points than a screen has columns.
MOST_POINTS: Final = 1200
#: Fills that round trips are listed of: matching a million takes half a minute, and nobody pages so far.
MOST_FILLS: Final = 10_000
_KEPT: Final = 16
#: The time of what was held before the fills that are looked at.
_BEFORE: Final = -1
#: By run: figures that were reckoned here, and of runs that trade what was read before, so that as long as a session
#: may be, the next look reads what is new.
_measured: dict[UUID, dict[str, Any]] = {}
_curves: dict[UUID, Curve] = {}
_traded: dict[UUID, Traded] = {}


class Curve(NamedTuple):
    times: Ints
    equity: Floats


class Traded(NamedTuple):
    """What fills up to the one with the id ``last`` came to: fees, and the value bought and sold."""

    last: int
    fees: Decimal
    value: Decimal


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
    known = _curves.get(run.pk) or Curve(np.empty(0, np.int64), np.empty(0))
    # Bars of other symbols may have come to the last moment since.
    times, equity = known.times[:-1], known.equity[:-1]
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, [run.pk, to_datetime(int(known.times[-1]) if len(known.times) else 0)])
        points = cursor.fetchall()
    new = np.fromiter((time for time, _ in points), np.int64, len(points)) * 1000
    at_them = np.fromiter((value for _, value in points), np.float64, len(points))
    curve = Curve(np.concatenate((times, new)), np.concatenate((equity, at_them)))
    _keep(_curves, run.pk, curve)
    return curve


def sheet_of(run: Run) -> Sheet | None:
    """The sheet of a run; None while it has no equity to speak of.

    The figures of an ended backtest are those that it was recorded with; of any other run they are reckoned here, from
    what is booked so far.
    """
    curve = curve_of(run)
    if not len(curve.times):
        return None
    cash, metrics = float(run.starting_cash), _metrics(run, curve)
    return Sheet(
        grouped(metrics),
        metrics,
        monthly(*curve, cash),
        spread(daily_returns(*curve, cash)),
        _results(run, metrics),
        int(curve.times[0]),
        int(curve.times[-1]),
        daily_levels(*curve, cash)[2],
    )


def metrics_of(run: Run) -> dict[str, Any]:
    """All figures of a run: as it was recorded with, or reckoned from what is booked so far; empty without any."""
    if "trades" in run.metrics:
        return with_excess(run.metrics)
    curve = curve_of(run)
    return with_excess(_metrics(run, curve)) if len(curve.times) else {}


def _metrics(run: Run, curve: Curve) -> dict[str, Any]:
    if "trades" in run.metrics:
        return run.metrics
    known = _measured.get(run.pk)
    if known is None:
        cash = float(run.starting_cash)
        known = figures_of(*curve, cash, list(_fills(run.pk))) if lists_all(run) else _of_newest(run, curve)
        if run.status not in ACTIVE:
            # What has ended changes no more.
            _keep(_measured, run.pk, known)
    return known


def _keep(kept: dict[UUID, Any], run_id: UUID, value: Any) -> None:
    """The runs that were looked at last are kept."""
    kept.pop(run_id, None)
    kept[run_id] = value
    while len(kept) > _KEPT:
        kept.pop(next(iter(kept)), None)


def _of_newest(run: Run, curve: Curve) -> dict[str, Any]:
    """As `figures_of`, those of trades within the newest fills alone (``partial``) and without the exposure, for which
    every fill would have to be read."""
    cash, trades, traded = float(run.starting_cash), trades_of(run), _traded_by(run)
    average = float(curve.equity.mean())
    return {
        **performance(*curve, cash),
        **curve_figures(*curve, cash),
        **trade_figures(trades),
        "results": [[one.low, one.high, one.count] for one in spread([float(trade.pnl) for trade in trades])],
        "exposure": None,
        "turnover": float(traded.value) / average if average > 0 else None,
        "fees": plain(traded.fees),
        "slippage": None,
        "partial": True,
    }


def _traded_by(run: Run) -> Traded:
    """What all fills of a run came to. The ids of a run's fills rise in the order in which they are booked."""
    last, fees, value = _traded.get(run.pk) or Traded(0, Decimal(0), Decimal(0))
    new = Fill.objects.filter(run=run, id__gt=last).order_by().values_list("symbol")
    sums = new.annotate(newest=Max("id"), paid=Sum("fee"), traded=Sum(F("qty") * F("price")))
    for symbol, newest, paid, traded in sums:
        last = max(last, newest)
        fees += paid
        value += traded * multiplier_of(symbol)
    found = Traded(last, fees, value)
    _keep(_traded, run.pk, found)
    return found


def _results(run: Run, metrics: Mapping[str, Any]) -> list[Bin]:
    recorded = metrics.get("results")
    if recorded is not None:
        return [Bin(*one) for one in recorded]
    return spread([float(trade.pnl) for trade in trades_of(run)])


def trades_of(run: Run) -> Sequence[Trade]:
    """The round trips within the newest `MOST_FILLS` fills of a run, in order of their exits. They are remembered until
    it has another fill."""
    return _remembered(run.pk, run.num_fills)


def lists_all(run: Run) -> bool:
    """Whether `trades_of` it are all that there are."""
    return run.num_fills <= MOST_FILLS


@lru_cache(maxsize=_KEPT)
def _remembered(run_id: UUID, _fills_booked: int) -> Sequence[Trade]:
    newest = list(_fills(run_id, MOST_FILLS))
    if len(newest) < MOST_FILLS:
        return round_trips(newest)
    # What was held before is closed first, and is no round trip of these fills.
    trades = round_trips([*_held_before(run_id, newest), *newest])
    return [trade for trade in trades if trade.entry_time != _BEFORE]


def _held_before(run_id: UUID, fills: Sequence[Execution]) -> Iterator[Execution]:
    """What is held now less what these fills came to, as if it had been bought or sold at once before them."""
    held = dict(Position.objects.filter(run=run_id).values_list("symbol", "qty"))
    for fill in fills:
        held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + (-fill.qty if fill.side == Side.BUY else fill.qty)
    for symbol, qty in held.items():
        if qty:
            yield Execution(_BEFORE, symbol, Side.BUY if qty > 0 else Side.SELL, abs(qty), Decimal(1), Decimal(0))


def _fills(run_id: UUID, newest: int | None = None) -> Iterator[Execution]:
    """The fills of a run, or the newest of them, in the order in which they were booked."""
    columns = Fill.objects.filter(run=run_id).values_list("seq", "filled_at", "symbol", "side", "qty", "price", "fee")
    rows: Iterable[Any]
    if newest is None:
        rows = columns.order_by("seq").iterator(chunk_size=10_000)
    else:
        rows = sorted(columns.order_by("-filled_at", "-id")[:newest])
    for _, filled_at, *rest in rows:
        yield Execution(to_nanos(filled_at), *rest)


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
