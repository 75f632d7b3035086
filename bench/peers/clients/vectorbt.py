"""vectorbt's Portfolio.from_signals: whole columns in compiled code, a bound that is not event-driven.

Compiled beforehand by a run that is not timed. Signals are moved by a bar, so that they fill at the next open.
"""

from __future__ import annotations

import warnings

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402  (vectorbt warns while it is imported)
import pandas as pd  # noqa: E402
import vectorbt as vbt  # noqa: E402

from bench.peers.client import Prepared  # noqa: E402
from bench.peers.frames import frame  # noqa: E402
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work  # noqa: E402

VERSION = vbt.__version__
CASH = 1_000_000.0


def prepare(work: Work) -> Prepared:
    bars = work.arrays()
    opens, closes = (frame(bars[:, :, field].T, work.times, work.symbols) for field in (0, 3))
    made: list[vbt.Portfolio] = []

    def run() -> None:
        entries, exits = _signals(closes, work.case.z_score)
        portfolio = vbt.Portfolio.from_signals(
            closes,
            entries.shift(1, fill_value=False).astype(bool),
            exits.shift(1, fill_value=False).astype(bool),
            price=opens,
            size=QTY,
            size_type="amount",
            init_cash=CASH,
            fees=0.0,
            freq="1min",
        )
        portfolio.value()
        made[:] = [portfolio]

    def outcome() -> Outcome:
        portfolio = made[0]
        gained = float(np.sum(portfolio.final_value())) - CASH * len(work.symbols)
        return Outcome(int(np.sum(portfolio.orders.count())), work.case.cash + gained)

    run()
    return run, outcome


def _signals(closes: pd.DataFrame, z_score: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    if z_score:
        scores = (closes - closes.vbt.rolling_mean(WINDOW)) / closes.vbt.rolling_std(WINDOW, ddof=0)
        return scores < ENTRY, scores > EXIT
    fast, slow = (vbt.MA.run(closes, size).ma.to_numpy() for size in (FAST, SLOW))
    above, below = (
        pd.DataFrame(values, index=closes.index, columns=closes.columns) for values in (fast > slow, fast < slow)
    )
    return above, below
