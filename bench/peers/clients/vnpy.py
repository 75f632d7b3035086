"""vnpy's CTA engine. It has one symbol, so that W2 is 50 runs, and no cash, checks or equity per bar.

It has no market orders: a limit order a tenth beyond the price stands in, which it fills at the next open. The variant
``lean`` keeps running sums in the strategy where the usual one asks vnpy's ArrayManager.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from vnpy.trader.constant import Direction, Exchange, Interval
from vnpy.trader.object import BarData
from vnpy.trader.utility import ArrayManager
from vnpy_ctastrategy import CtaTemplate
from vnpy_ctastrategy.backtesting import BacktestingEngine

from bench.peers.client import Prepared
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work

VERSION = f"{version('vnpy')} / {version('vnpy_ctastrategy')}"


class Trader(CtaTemplate):
    def enter(self, bar: Any) -> None:
        if not self.pos:
            self.buy(bar.close_price * 1.1, QTY)

    def leave(self, bar: Any) -> None:
        if self.pos:
            self.sell(bar.close_price * 0.9, QTY)


class Cross(Trader):
    def on_init(self) -> None:
        self.closes = ArrayManager(SLOW)

    def on_bar(self, bar: Any) -> None:
        closes = self.closes
        closes.update_bar(bar)
        if not closes.inited:
            return
        fast, slow = closes.close[-FAST:].mean(), closes.close.mean()
        if fast > slow:
            self.enter(bar)
        elif fast < slow:
            self.leave(bar)


class LeanCross(Trader):
    def on_init(self) -> None:
        self.closes: deque[float] = deque(maxlen=SLOW)
        self.fast = self.slow = 0.0

    def on_bar(self, bar: Any) -> None:
        close, closes = bar.close_price, self.closes
        if len(closes) >= FAST:
            self.fast -= closes[-FAST]
        if len(closes) == SLOW:
            self.slow -= closes[0]
        self.fast += close
        self.slow += close
        closes.append(close)
        if len(closes) < SLOW:
            return
        fast, slow = self.fast / FAST, self.slow / SLOW
        if fast > slow:
            self.enter(bar)
        elif fast < slow:
            self.leave(bar)


class ZScore(Trader):
    def on_init(self) -> None:
        self.closes = ArrayManager(WINDOW)

    def on_bar(self, bar: Any) -> None:
        self.closes.update_bar(bar)
        if not self.closes.inited:
            return
        closes = self.closes.close
        deviation = closes.std()
        if deviation > 0:
            self.judge(bar, (bar.close_price - closes.mean()) / deviation)

    def judge(self, bar: Any, score: float) -> None:
        if score < ENTRY:
            self.enter(bar)
        elif score > EXIT:
            self.leave(bar)


class LeanZScore(ZScore):
    def on_init(self) -> None:
        self.window: deque[float] = deque(maxlen=WINDOW)
        self.total = self.squares = 0.0

    def on_bar(self, bar: Any) -> None:
        close, window = bar.close_price, self.window
        if len(window) == WINDOW:
            self.total -= window[0]
            self.squares -= window[0] ** 2
        self.total += close
        self.squares += close * close
        window.append(close)
        if len(window) < WINDOW:
            return
        mean = self.total / WINDOW
        variance = self.squares / WINDOW - mean * mean
        if variance > 0:
            self.judge(bar, (close - mean) / math.sqrt(variance))


STRATEGIES = {"": (Cross, ZScore), "lean": (LeanCross, LeanZScore)}


def prepare(work: Work) -> Prepared:
    strategy = STRATEGIES[work.variant][work.case.z_score]
    start = datetime(2023, 1, 2)  # noqa: DTZ001  (it takes naive times)
    times = [start + timedelta(minutes=number) for number in range(work.count)]
    engines, last = [], []
    for symbol, bars in zip(work.symbols, work.arrays(), strict=True):
        engine = BacktestingEngine()
        engine.output = lambda _: None
        engine.set_parameters(
            vt_symbol=f"{symbol}.LOCAL",
            interval=Interval.MINUTE,
            start=start,
            end=times[-1],
            rate=0,
            slippage=0,
            size=1,
            pricetick=0.001,
            capital=work.case.cash,
        )
        engine.add_strategy(strategy, {})
        engine.history_data = [_bar(symbol, time, *row) for time, row in zip(times, bars.tolist(), strict=True)]
        engines.append(engine)
        last.append(bars[-1, 3])

    def outcome() -> Outcome:
        fills, equity = 0, work.case.cash
        for engine, price in zip(engines, last, strict=True):
            for trade in engine.trades.values():
                qty = trade.volume if trade.direction is Direction.LONG else -trade.volume
                equity += qty * (price - trade.price)
                fills += 1
        return Outcome(fills, equity)

    return lambda: [engine.run_backtesting() for engine in engines], outcome


def _bar(symbol: str, time: datetime, opening: float, high: float, low: float, close: float, volume: float) -> BarData:
    return BarData(
        symbol=symbol,
        exchange=Exchange.LOCAL,
        datetime=time,
        interval=Interval.MINUTE,
        volume=volume,
        open_price=opening,
        high_price=high,
        low_price=low,
        close_price=close,
        gateway_name="BENCH",
    )
