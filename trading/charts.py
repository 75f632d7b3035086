"""What the charts draw: equity over time, and the bars and fills of a run. In floats: nothing is booked from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection
from redis.exceptions import RedisError

from trading import frames
from trading.engine.bars import Bar
from trading.engine.records import plain
from trading.ledger import read_curve
from trading.ledger.bars import unpack
from trading.models import EquityCurve, Fill, Order, Run, RunBars
from trading.queries import ACTIVE
from trading.templatetags.figures import terms

#: A chart is no sharper for more points than a screen has columns.
MOST_POINTS: Final = 1500
#: Points of a portfolio's curve; each costs one look into the index per account.
PORTFOLIO_POINTS: Final = 240
#: Bars that are read of those kept, frames that are searched for more, and what is marked on them.
KEPT_BARS: Final = 3000
FRAMES: Final = 500
MARKED_FILLS: Final = 500
MARKED_ORDERS: Final = 300

_OF_ORDERS: Final = (
    *("id", "created_at", "symbol", "side", "qty", "time_in_force", "limit_price", "stop_price"),
    *("trail_amount", "trail_percent", "status", "signal", "reason"),
)
#: Seconds since the epoch, and a value.
Points = list[tuple[float, float]]
#: Of a bar, by name.
Figures = dict[str, float]

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


def bars_of(run_id: UUID) -> dict[str, list[Figures]]:
    """The last bars of a run by symbol, as kept for its replay and, of the last moments, as shown: ``time`` in seconds,
    open, high, low, close."""
    bars: dict[str, dict[float, Figures]] = {}
    for bar in _kept(run_id):
        time = bar.time / 1e9
        figures = {"time": time, "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
        bars.setdefault(bar.symbol, {})[time] = figures
    for symbol, shown in _shown(run_id):
        bars.setdefault(symbol, {})[shown["time"]] = shown
    return {symbol: [known[time] for time in sorted(known)] for symbol, known in sorted(bars.items())}


def _kept(run_id: UUID) -> Iterator[Bar]:
    """The last bars that are kept: chunks from the newest on, until there are enough."""
    count = 0
    chunks = RunBars.objects.filter(run=run_id, count__gt=0).order_by("-first", "-count").values_list("count", "data")
    for bars, data in chunks[:KEPT_BARS].iterator(chunk_size=100):
        yield from unpack(data)
        count += bars
        if count >= KEPT_BARS:
            return


def _shown(run_id: UUID) -> Iterator[tuple[str, Figures]]:
    """The bars that the latest frames still hold."""
    try:
        latest = frames.read_latest(run_id, FRAMES)
    except RedisError:
        return
    for frame in latest:
        if frame["stage"] == "bar.received":
            time = datetime.fromisoformat(frame["timestamp"]).timestamp()
            yield frame["symbol"], {"time": time, **{name: frame[name] for name in ("open", "high", "low", "close")}}


def fills_of(run_id: UUID, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """The newest fills in these symbols, oldest first, to be marked on their bars."""
    found = Fill.objects.filter(run=run_id, symbol__in=symbols).order_by("-filled_at", "-id")
    columns = found.values_list("venue_execution_id", "filled_at", "symbol", "side", "qty", "price")
    return [
        {
            "id": execution_id,
            "time": filled_at.timestamp(),
            "symbol": symbol,
            "side": side,
            "qty": plain(qty),
            "price": float(price),
        }
        for execution_id, filled_at, symbol, side, qty, price in reversed(columns[:MARKED_FILLS])
    ]


def orders_of(run_id: UUID, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """The newest orders in these symbols, oldest first: ``price`` is the limit or else the stop, None of an order
    without either; ``signal`` and ``reason`` are why there is such an order, ``status`` what has become of it."""
    found = Order.objects.filter(run=run_id, symbol__in=symbols).order_by("-created_at", "-id")
    return [
        {
            "id": order["id"],
            "time": order["created_at"].timestamp(),
            "symbol": order["symbol"],
            "side": order["side"],
            "qty": plain(order["qty"]),
            "price": None if (price := order["limit_price"] or order["stop_price"]) is None else float(price),
            "terms": terms(order),
            "status": order["status"],
            "signal": order["signal"],
            "reason": order["reason"],
        }
        for order in reversed(found.values(*_OF_ORDERS)[:MARKED_ORDERS])
    ]
