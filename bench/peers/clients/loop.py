"""The bound: a bare event loop in Python, with the least that such a loop has.

A bar object, a window of closes, a strategy's method with two running averages or a running z-score, a check of the
cash, orders and fills as objects, execution at the next open and the equity of each bar, all in floats.
"""

from __future__ import annotations

import math
import platform
from array import array
from collections import deque

from bench.peers.client import Prepared
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work

VERSION = f"Python {platform.python_version()}"
HISTORY = 256


class Bar:
    __slots__ = ("close", "high", "low", "open", "symbol", "time", "volume")

    def __init__(
        self, symbol: str, time: int, opening: float, high: float, low: float, close: float, volume: float
    ) -> None:
        self.symbol = symbol
        self.time = time
        self.open = opening
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume


class Order:
    __slots__ = ("qty", "symbol", "time")

    def __init__(self, symbol: str, qty: int, time: int) -> None:
        self.symbol = symbol
        self.qty = qty
        self.time = time


class Fill:
    __slots__ = ("order", "price", "time")

    def __init__(self, order: Order, price: float, time: int) -> None:
        self.order = order
        self.price = price
        self.time = time


class Account:
    __slots__ = ("cash", "fills")

    def __init__(self, cash: float) -> None:
        self.cash = cash
        self.fills: list[Fill] = []


class Ring:
    """The last closes."""

    __slots__ = ("at", "values")

    def __init__(self, size: int) -> None:
        self.values = [0.0] * size
        self.at = 0

    def push(self, value: float) -> None:
        at = self.at
        self.values[at] = value
        at += 1
        self.at = 0 if at == len(self.values) else at


class Symbol:
    """What is known of one symbol, and its strategy's context."""

    __slots__ = ("account", "closes", "held", "last", "pending")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.closes = Ring(HISTORY)
        self.held = 0
        self.last = 0.0
        self.pending: list[Order] = []

    def submit(self, bar: Bar, qty: int) -> None:
        if qty * self.last <= self.account.cash:
            self.pending.append(Order(bar.symbol, qty, bar.time))

    def execute(self, bar: Bar) -> None:
        for order in self.pending:
            self.account.fills.append(Fill(order, bar.open, bar.time))
            self.account.cash -= order.qty * bar.open
            self.held += order.qty
        self.pending.clear()


class Average:
    __slots__ = ("at", "full", "total", "values")

    def __init__(self, size: int) -> None:
        self.values = [0.0] * size
        self.at = 0
        self.total = 0.0
        self.full = False

    def update(self, value: float) -> float:
        at, values = self.at, self.values
        self.total += value - values[at]
        values[at] = value
        at += 1
        if at == len(values):
            at = 0
            self.full = True
        self.at = at
        return self.total / len(values)


class Cross:
    __slots__ = ("fast", "slow")

    def __init__(self) -> None:
        self.fast = Average(FAST)
        self.slow = Average(SLOW)

    def on_bar(self, bar: Bar, symbol: Symbol) -> None:
        fast = self.fast.update(bar.close)
        slow = self.slow.update(bar.close)
        if not self.slow.full:
            return
        if fast > slow:
            if not symbol.held:
                symbol.submit(bar, QTY)
        elif fast < slow and symbol.held:
            symbol.submit(bar, -QTY)


class ZScore:
    __slots__ = ("closes", "squares", "total")

    def __init__(self) -> None:
        self.closes: deque[float] = deque(maxlen=WINDOW)
        self.total = self.squares = 0.0

    def on_bar(self, bar: Bar, symbol: Symbol) -> None:
        close, closes = bar.close, self.closes
        if len(closes) == WINDOW:
            first = closes[0]
            self.total -= first
            self.squares -= first * first
        closes.append(close)
        self.total += close
        self.squares += close * close
        if len(closes) < WINDOW:
            return
        mean = self.total / WINDOW
        variance = self.squares / WINDOW - mean * mean
        if variance <= 0:
            return
        score = (close - mean) / math.sqrt(variance)
        if not symbol.held:
            if score < ENTRY:
                symbol.submit(bar, QTY)
        elif score > EXIT:
            symbol.submit(bar, -QTY)


def prepare(work: Work) -> Prepared:
    account = Account(work.case.cash)
    symbols = [Symbol(account) for _ in work.symbols]
    strategies = [ZScore() if work.case.z_score else Cross() for _ in symbols]
    times = work.times.tolist()
    columns = [[column.tolist() for column in of_symbol.T] for of_symbol in work.arrays()]
    rows = [list(zip(*of_symbol, strict=True)) for of_symbol in columns] if len(symbols) > 1 else []
    curve = array("d")

    def run_one() -> None:
        symbol, on_bar, add = symbols[0], strategies[0].on_bar, curve.append
        push, pending, name = symbol.closes.push, symbol.pending, work.symbols[0]
        for time, opening, high, low, close, volume in zip(times, *columns[0], strict=True):
            bar = Bar(name, time, opening, high, low, close, volume)
            if pending:
                symbol.execute(bar)
            symbol.last = close
            push(close)
            on_bar(bar, symbol)
            add(account.cash + symbol.held * close)

    def run_many() -> None:
        value = 0.0
        parts = list(zip(work.symbols, symbols, strategies, rows, strict=True))
        for at, time in enumerate(times):
            for name, symbol, strategy, of_symbol in parts:
                bar = Bar(name, time, *of_symbol[at])
                if symbol.pending:
                    value -= symbol.held * symbol.last
                    symbol.execute(bar)
                    value += symbol.held * symbol.last
                close = bar.close
                value += symbol.held * (close - symbol.last)
                symbol.last = close
                symbol.closes.push(close)
                strategy.on_bar(bar, symbol)
            curve.append(account.cash + value)

    return run_one if len(symbols) == 1 else run_many, lambda: Outcome(len(account.fills), curve[-1])
