"""One pass of the engine over its bars, as a backtest, and each trial of a sweep, makes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from brokers.sim import SimulatedBrokerage
from trading.backtest import Curve, Progress, drive
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.records import ledger_hash
from trading.metrics import one_per_stamp
from trading.results import executions, figures_of
from trading.results.figures import Floats, Ints


@dataclass
class Pass:
    """What a pass has left: the engine with its records, and the curve with one point per stamp.

    ``whole`` says whether it got to the end of its bars. ``times`` (n) are in nanoseconds, ``equity`` (n) in the
    account's currency.
    """

    engine: Engine
    venue: SimulatedBrokerage
    whole: bool = False
    times: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    equity: Floats = field(default_factory=lambda: np.empty(0, np.float64))

    @property
    def cash(self) -> float:
        """What it began with."""
        return float(self.engine.portfolio.starting_cash)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """`trading.results.figures_of` it."""
        fills = list(executions(self.engine.records))
        return figures_of(self.times, self.equity, self.cash, fills, self.venue.slippage_paid)

    @cached_property
    def ledger_hash(self) -> str:
        return ledger_hash(self.engine.records)


def pass_over(bars: Iterable[Bar], engine: Engine, venue: SimulatedBrokerage, progress: Progress) -> Pass:
    """Drive the engine over all bars, or until ``progress`` or the limits end it."""
    curve = Curve()
    whole = drive(engine, venue, bars, curve, progress)
    times, equity = np.frombuffer(curve.times, np.int64), np.frombuffer(curve.equity, np.float64)
    return Pass(engine, venue, whole, *one_per_stamp(times, equity))
