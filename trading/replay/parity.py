"""How far a session has drifted from its own backtest: the same recipe over the bars that it saw, at the simulated
venue. What the venue, the network or a person did shows as a difference; a replay, in contrast, feeds them in again."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import psycopg

from trading.connections import connect
from trading.engine.bars import to_datetime, to_nanos
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind, plain
from trading.folding.recorded import check_kept, interval_of
from trading.ledger.bars import read_bars
from trading.models import Mode, Run
from trading.parts import assemble_simulated
from trading.passes import Pass, pass_over
from trading.recipes import parse
from trading.replay.report import check
from trading.results import Execution, executions

_BASIS_POINTS: Final = 10_000
_FILLS: Final = "SELECT filled_at, symbol, side, qty, price, fee FROM fills WHERE run_id = %s ORDER BY seq"
_POINTS: Final = "SELECT time, equity FROM equity_points WHERE run_id = %s ORDER BY time"
_WARMED: Final = """
    SELECT payload -> 'data' ->> 'bars' FROM ledger_events WHERE run_id = %s AND kind = %s ORDER BY seq LIMIT 1
"""


@dataclass(frozen=True)
class Gap:
    """Where the two curves are furthest apart: session less backtest, in the account's currency."""

    at: datetime
    amount: float


@dataclass(frozen=True)
class Parity:
    """Session and backtest beside each other, over the same ``bars``, the session's figures first.

    ``equity``, None where the curves have no moment in common, is that of the last one that they have; it and ``fees``
    are in the account's currency. ``matched`` fills are the first of a
    symbol and side in both, the second, and so on; ``worse_bps`` is by how much the session's traded at worse prices on
    average, weighted by value (None without any); ``gap`` is None where ``equity`` is.
    """

    bars: int
    equity: tuple[float, float] | None
    fills: tuple[int, int]
    fees: tuple[Decimal, Decimal]
    matched: int
    worse_bps: float | None
    gap: Gap | None

    @property
    def same(self) -> bool:
        return (
            self.fills[0] == self.fills[1] == self.matched and not self.worse_bps and not (self.gap and self.gap.amount)
        )

    @property
    def drift(self) -> float | None:
        """Of the last equity."""
        return None if self.equity is None else round(self.equity[0] - self.equity[1], 2)

    def as_dict(self) -> dict[str, Any]:
        fees, its_fees = self.fees
        return {
            "bars": self.bars,
            "same": self.same,
            "equity": None if self.equity is None else {"session": self.equity[0], "backtest": self.equity[1]},
            "fills": {"session": self.fills[0], "backtest": self.fills[1], "matched": self.matched},
            "fees": {"session": plain(fees), "backtest": plain(its_fees)},
            "worse_bps": self.worse_bps,
            "largest_gap": None if self.gap is None else {"at": self.gap.at.isoformat(), "amount": self.gap.amount},
        }


def parity(run: Run, most_bars: int | None = None) -> Parity:
    """Raises `InvalidValue` for what is no session, saw more than ``most_bars``, or whose bars were deleted."""
    if run.mode == Mode.BACKTEST:
        raise InvalidValue("a backtest cannot drift from itself; replay it instead")
    check(run, most_bars)
    with connect() as database:
        # One look at all of it, also while the session goes on.
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        done = _backtest(database, run)
        fills = [Execution(to_nanos(time), *rest) for time, *rest in database.execute(_FILLS, [run.id])]
        points = database.execute(_POINTS, [run.id]).fetchall()
    its_fills = list(executions(done.engine.records))
    matched = _matched(fills, its_fills)
    equity, gap = _apart(points, done)
    return Parity(
        bars=done.engine.bars,
        equity=equity,
        fills=(len(fills), len(its_fills)),
        fees=(_fees(fills), _fees(its_fills)),
        matched=len(matched),
        worse_bps=_worse(matched),
        gap=gap,
    )


def _backtest(database: psycopg.Connection[Any], run: Run) -> Pass:
    parts = assemble_simulated(parse(run.recipe))
    engine = parts.engine(run.id)
    warmed = database.execute(_WARMED, [run.id, Kind.FEED_WARMED]).fetchone()
    if warmed is not None:
        # Bars of before the session's beginning, on which it did not trade.
        engine.warm(int(warmed[0]))
    check_kept(database, run)
    parts.expect(interval_of(database, run))
    return pass_over(read_bars(database, run.id), engine, parts.brokerage, lambda _: True)


def _fees(fills: Sequence[Execution]) -> Decimal:
    return sum((fill.fee for fill in fills), Decimal(0))


def _matched(one: Sequence[Execution], other: Sequence[Execution]) -> list[tuple[Execution, Execution]]:
    waiting: dict[tuple[str, str], deque[Execution]] = defaultdict(deque)
    for fill in other:
        waiting[fill.symbol, fill.side].append(fill)
    pairs = []
    for fill in one:
        alike = waiting[fill.symbol, fill.side]
        if alike:
            pairs.append((fill, alike.popleft()))
    return pairs


def _worse(matched: Sequence[tuple[Execution, Execution]]) -> float | None:
    value, paid = Decimal(0), Decimal(0)
    for fill, other in matched:
        apart = fill.price - other.price
        value += fill.qty * other.price
        paid += fill.qty * (apart if fill.side == "buy" else -apart)
    return float(paid / value) * _BASIS_POINTS if value else None


def _apart(points: Sequence[tuple[datetime, Decimal]], done: Pass) -> tuple[tuple[float, float] | None, Gap | None]:
    """Both equities at the last moment that the curves share, and where they are furthest apart."""
    times = np.array([to_nanos(time) for time, _ in points], np.int64)
    # Points are kept to the microsecond.
    shared, here, there = np.intersect1d(times // 1000, done.times // 1000, return_indices=True)
    if not len(shared):
        return None, None
    ours = np.array([float(points[at][1]) for at in here])
    apart = ours - done.equity[there]
    widest = int(np.abs(apart).argmax())
    gap = Gap(to_datetime(int(shared[widest]) * 1000), round(float(apart[widest]), 2))
    return (round(float(ours[-1]), 2), round(float(done.equity[there][-1]), 2)), gap
