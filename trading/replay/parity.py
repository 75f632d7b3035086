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

from trading.connections import connect
from trading.engine.bars import to_datetime, to_nanos
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind
from trading.folding.recorded import check_kept, interval_of
from trading.ledger.bars import read_bars
from trading.models import EquityPoint, Fill, LedgerEvent, Mode, Run
from trading.parts import assemble_simulated
from trading.passes import Pass, pass_over
from trading.recipes import parse
from trading.replay.report import check
from trading.results import Execution, executions

_BASIS_POINTS: Final = 10_000


@dataclass(frozen=True)
class Gap:
    """Where the two curves are furthest apart: session less backtest, in the account's currency."""

    at: datetime
    amount: float


@dataclass(frozen=True)
class Parity:
    """Session and backtest beside each other, over the same ``bars``.

    ``equity`` and ``fees`` are in the account's currency, the session's first. ``matched`` fills are the first of a
    symbol and side in both, the second, and so on; ``worse_bps`` is by how much the session's traded at worse prices on
    average, weighted by value (None without any); ``gap`` is None where the curves have no moment in common.
    """

    bars: int
    equity: tuple[Decimal | None, Decimal]
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
    def drift(self) -> Decimal | None:
        """Of the last equity."""
        session, backtest = self.equity
        return None if session is None else session - backtest

    def as_dict(self) -> dict[str, Any]:
        (equity, of_backtest), (fees, its_fees) = self.equity, self.fees
        return {
            "bars": self.bars,
            "same": self.same,
            "equity": {"session": None if equity is None else str(equity), "backtest": str(of_backtest)},
            "fills": {"session": self.fills[0], "backtest": self.fills[1], "matched": self.matched},
            "fees": {"session": str(fees), "backtest": str(its_fees)},
            "worse_bps": self.worse_bps,
            "largest_gap": None if self.gap is None else {"at": self.gap.at.isoformat(), "amount": self.gap.amount},
        }


def parity(run: Run, most_bars: int | None = None) -> Parity:
    """Raises `InvalidValue` for what is no session, saw more than ``most_bars``, or whose bars were deleted."""
    if run.mode == Mode.BACKTEST:
        raise InvalidValue("a backtest cannot drift from itself; replay it instead")
    check(run, most_bars)
    done = _backtest(run)
    fills = [
        Execution(to_nanos(one.filled_at), one.symbol, one.side, one.qty, one.price, one.fee)
        for one in Fill.objects.filter(run=run).order_by("seq").iterator()
    ]
    its_fills = list(executions(done.engine.records))
    matched = _matched(fills, its_fills)
    points = list(EquityPoint.objects.filter(run=run).order_by("time").values_list("time", "equity"))
    return Parity(
        bars=done.engine.bars,
        equity=(points[-1][1] if points else None, done.engine.portfolio.equity),
        fills=(len(fills), len(its_fills)),
        fees=(_fees(fills), _fees(its_fills)),
        matched=len(matched),
        worse_bps=_worse(matched),
        gap=_gap(points, done),
    )


def _backtest(run: Run) -> Pass:
    parts = assemble_simulated(parse(run.recipe))
    engine = parts.engine(run.id)
    warmed = LedgerEvent.objects.filter(run=run, kind=Kind.FEED_WARMED).order_by("seq").first()
    if warmed is not None:
        # Bars of before the session's beginning, on which it did not trade.
        engine.warm(int(warmed.payload["data"]["bars"]))
    with connect() as database:
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


def _gap(points: Sequence[tuple[datetime, Decimal]], done: Pass) -> Gap | None:
    times = np.array([to_nanos(time) for time, _ in points], np.int64)
    # Points are kept to the microsecond.
    shared, here, there = np.intersect1d(times // 1000, done.times // 1000, return_indices=True)
    if not len(shared):
        return None
    apart = np.array([float(points[at][1]) for at in here]) - done.equity[there]
    widest = int(np.abs(apart).argmax())
    return Gap(to_datetime(int(shared[widest]) * 1000), round(float(apart[widest]), 2))
