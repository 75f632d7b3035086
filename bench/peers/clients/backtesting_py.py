"""backtesting.py: vectorised indicators, a Python ``next``. It has one symbol, so that W2 is 50 runs."""

from __future__ import annotations

import warnings

warnings.filterwarnings("ignore")

import backtesting  # noqa: E402  (it warns while it is imported)
import pandas as pd  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402

from bench.peers.client import Prepared  # noqa: E402
from bench.peers.frames import frame  # noqa: E402
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work  # noqa: E402

VERSION = backtesting.__version__
CASH = 1_000_000.0
#: Its progress bar would write to the output.
backtesting.backtesting._tqdm = lambda steps, **_: steps


def average(values: object, size: int) -> pd.Series:
    return pd.Series(values).rolling(size).mean()


def deviation(values: object, size: int) -> pd.Series:
    return pd.Series(values).rolling(size).std(ddof=0)


class Cross(Strategy):
    def init(self) -> None:
        self.fast = self.I(average, self.data.Close, FAST)
        self.slow = self.I(average, self.data.Close, SLOW)

    def next(self) -> None:
        fast, slow = self.fast[-1], self.slow[-1]
        if fast > slow:
            if not self.position:
                self.buy(size=QTY)
        elif fast < slow and self.position:
            self.sell(size=QTY)


class ZScore(Strategy):
    def init(self) -> None:
        self.mean = self.I(average, self.data.Close, WINDOW)
        self.deviation = self.I(deviation, self.data.Close, WINDOW)

    def next(self) -> None:
        if not self.deviation[-1] > 0:
            return
        score = (self.data.Close[-1] - self.mean[-1]) / self.deviation[-1]
        if not self.position:
            if score < ENTRY:
                self.buy(size=QTY)
        elif score > EXIT:
            self.sell(size=QTY)


def prepare(work: Work) -> Prepared:
    names = ("Open", "High", "Low", "Close", "Volume")
    strategy = ZScore if work.case.z_score else Cross
    tests = [
        Backtest(frame(bars, work.times, names), strategy, cash=CASH, commission=0, finalize_trades=False)
        for bars in work.arrays()
    ]
    results: list[pd.Series] = []

    def outcome() -> Outcome:
        fills = sum(2 * len(one["_trades"]) + len(one["_strategy"].trades) for one in results)
        return Outcome(fills, work.case.cash + sum(one["Equity Final [$]"] - CASH for one in results))

    return lambda: results.extend(test.run() for test in tests), outcome
