"""What the charts draw: equity over time, and the bars and fills of a run. In floats: nothing is booked from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection
from redis.exceptions import RedisError

from trading import frames
from trading.ledger import read_curve
from trading.models import EquityCurve, Fill, Run
from trading.queries import ACTIVE

#: A chart is no sharper for more points than a screen has columns.
MOST_POINTS: Final = 1500
#: Points of a portfolio's curve; each costs one look into the index per account.
PORTFOLIO_POINTS: Final = 240
#: Frames that are searched for bars, and fills that are marked on them.
FRAMES: Final = 2000
MARKED_FILLS: Final = 500

#: Seconds since the epoch, and a value.
Points = list[tuple[float, float]]

# One look into the index per moment asked for, however many points a run has.
_SAMPLED: Final = """
    WITH span AS (
        SELECT (SELECT time FROM equity_points WHERE run_id = %(run)s ORDER BY time LIMIT 1) AS first,
               (SELECT time FROM equity_points WHERE run_id = %(run)s ORDER BY time DESC LIMIT 1) AS last
    )
    SELECT DISTINCT ON (point.time) extract(epoch FROM point.time)::float8, point.equity::float8
      FROM span, generate_series(0, %(most)s) AS step
      JOIN LATERAL (SELECT time, equity FROM equity_points
                     WHERE run_id = %(run)s AND time <= span.first + (span.last - span.first) * step / %(most)s
                     ORDER BY time DESC LIMIT 1) point ON true
     ORDER BY point.time
"""
_WHOLE: Final = """
    SELECT extract(epoch FROM time)::float8, equity::float8
      FROM equity_points WHERE run_id = %(run)s ORDER BY time LIMIT %(most)s + 1
"""


def equity_of(run: Run) -> Points:
    """The equity curve of a run, thinned to at most 1,501 points."""
    curve = EquityCurve.objects.filter(pk=run.pk).first()
    if curve is not None:
        return _thinned(*read_curve(curve.times, curve.equity))
    with connection.cursor() as cursor:
        for query in (_WHOLE, _SAMPLED):
            cursor.execute(query, {"run": run.pk, "most": MOST_POINTS})
            found = cursor.fetchall()
            if len(found) <= MOST_POINTS:
                break
    return [(time, equity) for time, equity in found]


def _thinned(times: npt.NDArray[np.int64], equity: npt.NDArray[np.float64]) -> Points:
    step = max(1, -(-len(times) // MOST_POINTS))
    kept = np.arange(len(times) - 1, -1, -step)[::-1]
    return list(zip((times[kept] / 1e9).tolist(), equity[kept].tolist(), strict=True))


_OF_ACCOUNTS: Final = """
    WITH account AS (SELECT id, starting_cash FROM runs WHERE id = ANY(%(runs)s::uuid[])),
    span AS (
        SELECT min(first.time) AS first, max(last.time) AS last
          FROM account
          JOIN LATERAL (SELECT time FROM equity_points
                         WHERE run_id = account.id ORDER BY time LIMIT 1) first ON true
          JOIN LATERAL (SELECT time FROM equity_points
                         WHERE run_id = account.id ORDER BY time DESC LIMIT 1) last ON true
    ),
    moment AS (
        SELECT DISTINCT span.first + (span.last - span.first) * step / %(most)s AS time
          FROM span, generate_series(0, %(most)s) AS step WHERE span.first IS NOT NULL
    )
    SELECT extract(epoch FROM moment.time)::float8, sum(coalesce(point.equity, account.starting_cash))::float8
      FROM moment CROSS JOIN account
      LEFT JOIN LATERAL (SELECT equity FROM equity_points
                          WHERE run_id = account.id AND time <= moment.time ORDER BY time DESC LIMIT 1) point ON true
     GROUP BY moment.time ORDER BY moment.time
"""


def equity_of_accounts(kind: str) -> Points:
    """The equity of all open accounts of a kind together; before its start an account counts with its starting cash."""
    wanted = Run.objects.filter(status__in=ACTIVE, mode="live" if kind == "live" else "paper")
    if kind != "live":
        wanted = wanted.filter(synthetic=kind == "synthetic")
    with connection.cursor() as cursor:
        cursor.execute(_OF_ACCOUNTS, {"runs": list(wanted.values_list("id", flat=True)), "most": PORTFOLIO_POINTS})
        return [(time, equity) for time, equity in cursor.fetchall()]


def bars_of(run_id: UUID) -> dict[str, list[dict[str, float]]]:
    """The bars that the latest frames of a run still hold, by symbol: ``time`` in seconds, open, high, low, close."""
    try:
        latest = frames.read_latest(run_id, FRAMES)
    except RedisError:
        return {}
    bars: dict[str, dict[str, dict[str, float]]] = {}
    for frame in latest:
        if frame["stage"] == "bar.received":
            bars.setdefault(frame["symbol"], {})[frame["timestamp"]] = _bar(frame)
    return {symbol: list(known.values()) for symbol, known in sorted(bars.items())}


def _bar(frame: dict[str, Any]) -> dict[str, Any]:
    return {"time": frame["timestamp"], **{name: frame[name] for name in ("open", "high", "low", "close")}}


def fills_of(run_id: UUID, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """The newest fills in these symbols, oldest first, to be marked on their bars."""
    found = Fill.objects.filter(run=run_id, symbol__in=symbols).order_by("-filled_at", "-id")[:MARKED_FILLS]
    return [
        {
            "id": fill.venue_execution_id,
            "time": fill.filled_at.timestamp(),
            "symbol": fill.symbol,
            "side": fill.side,
            "price": float(fill.price),
        }
        for fill in reversed(found)
    ]
