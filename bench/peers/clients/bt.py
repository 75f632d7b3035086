"""bt: an algo in Python at each bar over signals that are made beforehand as columns; it fills at the same close."""

from __future__ import annotations

import warnings

warnings.filterwarnings("ignore")

import bt  # noqa: E402  (it warns while it is imported)
import pandas as pd  # noqa: E402

from bench.peers.client import Prepared  # noqa: E402
from bench.peers.frames import frame  # noqa: E402
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work  # noqa: E402

VERSION = bt.__version__


class Trader(bt.Algo):
    #: Of the class, for bt works on copies.
    fills = 0

    def __init__(self, entries: pd.DataFrame, exits: pd.DataFrame) -> None:
        super().__init__()
        self.entries = entries
        self.exits = exits

    def __call__(self, target: bt.Strategy) -> bool:
        entries, exits = self.entries.loc[target.now].to_numpy(), self.exits.loc[target.now].to_numpy()
        for number, symbol in enumerate(self.entries.columns):
            held = target.children[symbol].position if symbol in target.children else 0
            if not held and entries[number]:
                target.transact(QTY, symbol)
                Trader.fills += 1
            elif held and exits[number]:
                target.transact(-QTY, symbol)
                Trader.fills += 1
        return True


def prepare(work: Work) -> Prepared:
    closes = frame(work.arrays()[:, :, 3].T, work.times, work.symbols)
    made: list[bt.Backtest] = []

    def run() -> None:
        algos = [Trader(*_signals(closes, work.case.z_score))]
        test = bt.Backtest(
            bt.Strategy("bench", algos, children=work.symbols),
            closes,
            initial_capital=work.case.cash,
            commissions=lambda qty, price: 0.0,
            integer_positions=True,
            progress_bar=False,
        )
        test.run()
        made.append(test)

    return run, lambda: Outcome(Trader.fills, made[0].strategy.value)


def _signals(closes: pd.DataFrame, z_score: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    if z_score:
        scores = (closes - closes.rolling(WINDOW).mean()) / closes.rolling(WINDOW).std(ddof=0)
        return scores < ENTRY, scores > EXIT
    fast, slow = closes.rolling(FAST).mean(), closes.rolling(SLOW).mean()
    return fast > slow, fast < slow
