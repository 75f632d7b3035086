"""backtrader's Cerebro as it comes (runonce and preload on), its own indicators, without its observers."""

from __future__ import annotations

from typing import Any

import backtrader as bt

from bench.peers.client import Prepared
from bench.peers.frames import frame
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work

VERSION = bt.__version__


class Trader(bt.Strategy):
    fills = 0

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            Trader.fills += 1


class Cross(Trader):
    def __init__(self) -> None:
        self.averages = [
            (data, bt.ind.SMA(data.close, period=FAST), bt.ind.SMA(data.close, period=SLOW)) for data in self.datas
        ]

    def next(self) -> None:
        for data, of_fast, of_slow in self.averages:
            fast, slow = of_fast[0], of_slow[0]
            if fast > slow:
                if not self.getposition(data).size:
                    self.buy(data=data, size=QTY)
            elif fast < slow and self.getposition(data).size:
                self.sell(data=data, size=QTY)


class ZScore(Trader):
    def __init__(self) -> None:
        self.mean = bt.ind.SMA(self.data.close, period=WINDOW)
        self.deviation = bt.ind.StdDev(self.data.close, period=WINDOW)

    def next(self) -> None:
        deviation = self.deviation[0]
        if deviation <= 0:
            return
        score = (self.data.close[0] - self.mean[0]) / deviation
        if not self.position.size:
            if score < ENTRY:
                self.buy(size=QTY)
        elif score > EXIT:
            self.sell(size=QTY)


def prepare(work: Work) -> Prepared:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(work.case.cash)
    for symbol, bars in zip(work.symbols, work.arrays(), strict=True):
        data = bt.feeds.PandasData(dataname=frame(bars, work.times), timeframe=bt.TimeFrame.Minutes)
        cerebro.adddata(data, name=symbol)
    cerebro.addstrategy(ZScore if work.case.z_score else Cross)
    return cerebro.run, lambda: Outcome(Trader.fills, cerebro.broker.getvalue())
