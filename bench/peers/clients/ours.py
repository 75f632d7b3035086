"""AlphaSwarm as a user runs it: pre-trade check, exact portfolio, orders, fills, records and equity at each bar."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain, repeat

from bench.peers.client import Prepared
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work
from brokers.sim import SimulatedBrokerage
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from trading.backtest import Curve, drive
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.orders import OrderRequest, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy

VERSION = ""
_QTY = Decimal(QTY)


def _order(symbol: str, side: Side) -> tuple[OrderRequest]:
    return (OrderRequest(symbol=symbol, side=side, qty=_QTY, time_in_force=TimeInForce.GTC),)


class _Averages:
    __slots__ = ("closes", "fast", "slow")

    def __init__(self) -> None:
        self.closes: deque[float] = deque((0.0,) * SLOW, SLOW)
        self.fast = self.slow = 0.0


class Cross(IStrategy):
    """The product's own strategy of this name takes equal averages for flat; this one leaves them as they are."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._averages = {symbol: _Averages() for symbol in symbols}

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        symbol, close = bar.symbol, bar.close
        averages = self._averages[symbol]
        closes = averages.closes
        averages.fast = fast = averages.fast + close - closes[-FAST]
        first = closes[0]
        averages.slow = slow = averages.slow + close - first
        closes.append(close)
        fast, slow = fast / FAST, slow / SLOW
        if fast > slow:
            if not closes[0] or context.qty(symbol):
                return ()
            return _order(symbol, Side.BUY)
        if fast < slow and context.qty(symbol):
            return _order(symbol, Side.SELL)
        return ()


class ZScore(IStrategy):
    def __init__(self) -> None:
        self._closes: deque[float] = deque(maxlen=WINDOW)
        self._total = self._squares = 0.0

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        close, closes = bar.close, self._closes
        total, squares = self._total + close, self._squares + close * close
        if len(closes) == WINDOW:
            first = closes[0]
            total -= first
            squares -= first * first
        self._total, self._squares = total, squares
        closes.append(close)
        if len(closes) < WINDOW:
            return ()
        mean = total / WINDOW
        variance = squares / WINDOW - mean * mean
        if variance <= 0:
            return ()
        score = (close - mean) / math.sqrt(variance)
        if score < ENTRY:
            return () if context.qty(bar.symbol) else _order(bar.symbol, Side.BUY)
        if score > EXIT and context.qty(bar.symbol):
            return _order(bar.symbol, Side.SELL)
        return ()


def bars_of(work: Work) -> Iterator[Bar]:
    """All bars, merged in time; the columns are made beforehand, the bars one by one."""
    times = work.times.tolist()
    # By time, then by symbol: of each field one column.
    columns = [column.ravel().tolist() for column in work.arrays().transpose(2, 1, 0)]
    if len(work.symbols) == 1:
        return map(Bar, repeat(work.symbols[0]), times, *columns)
    names = chain.from_iterable(repeat(work.symbols, work.count))
    stamps = chain.from_iterable(map(repeat, times, repeat(len(work.symbols))))
    return map(Bar, names, stamps, *columns)


def prepare(work: Work) -> Prepared:
    strategy = ZScore() if work.case.z_score else Cross(work.symbols)
    cash = Decimal(work.case.cash)
    engine = Engine("bench", strategy, RiskManagementAgent(RiskLimits(), cash), work.symbols, cash)
    venue, curve, bars = SimulatedBrokerage(starting_cash=cash), Curve(), bars_of(work)

    def outcome() -> Outcome:
        return Outcome(engine.fills, float(engine.portfolio.equity))

    return lambda: drive(engine, venue, bars, curve), outcome
