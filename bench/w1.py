"""The bar loop: `python -m bench.w1 --tries 7`, with `--profile` where its time goes.

Workload W1: a moving-average cross (10 over 30, 100 units) on one symbol, all that a backtest does for a bar: matching,
the pre-trade check, portfolio, records and the equity curve. 100,000 bars of a random walk in eighths, from memory.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import repeat

import numpy as np

from bench import figures
from brokers.sim import SimulatedBrokerage
from risk.limits import RiskLimits
from risk.manager import RiskManager
from trading.backtest import Curve, drive
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.strategies.sma_cross import SmaCrossStrategy

TICK = 0.125
MINUTE = 60_000_000_000
START = 1_672_617_600_000_000_000
CASH = Decimal(1_000_000)


def walk(count: int, seed: int = 7) -> list[list[float]]:
    """Open, high, low, close and volume, each of ``count`` figures."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0.0, 5e-4, count)) - 0.5 * 5e-4**2 * np.arange(count)
    close = np.round(1000.0 * np.exp(steps) / TICK) * TICK
    opening = np.concatenate(([1000.0], close[:-1])) + random.integers(-2, 3, count) * TICK
    high = np.maximum(opening, close) + random.integers(0, 4, count) * TICK
    low = np.minimum(opening, close) - random.integers(0, 4, count) * TICK
    volume = random.integers(100_000, 1_000_000, count).astype(float)
    return [column.tolist() for column in (opening, high, low, close, volume)]


def prepared(columns: list[list[float]]) -> tuple[Engine, Callable[[], bool]]:
    """A fresh engine, and the loop over all bars."""
    times = range(START, START + MINUTE * len(columns[0]), MINUTE)
    check = RiskManager(RiskLimits()).check_pretrade
    engine = Engine("bench", SmaCrossStrategy(10, 30, Decimal(100)), check, ["S00"], CASH)
    venue = SimulatedBrokerage(starting_cash=CASH)
    bars = map(Bar, repeat("S00"), times, *columns)
    return engine, lambda: drive(engine, venue, bars, Curve())


def timed(columns: list[list[float]]) -> tuple[int, float]:
    """The fills, and the seconds that the loop took."""
    engine, loop = prepared(columns)
    started = time.perf_counter()
    loop()
    return engine.fills, time.perf_counter() - started


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--tries", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    options = parser.parse_args()
    columns = walk(options.bars)
    if options.profile:
        _, loop = prepared(columns)
        profile = cProfile.Profile()
        profile.runcall(loop)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    table = figures.Figures("w1", options.json)
    rates, bar_costs, order_costs = [], [], []
    still = [*columns[:3], [1000.0] * options.bars, columns[4]]
    for _ in range(options.tries):
        _, seconds = timed(still)
        bar_costs.append(seconds / options.bars * 1e6)
        fills, whole = timed(columns)
        rates.append(options.bars / whole)
        order_costs.append((whole - seconds) / fills * 1e6)
    table.add("bars", "a second", rates)
    table.add("a bar, where the price stands still and nothing is traded", "us", bar_costs)
    table.add("an order from request to fill, and what it is to hold", "us", order_costs)
    table.show()


if __name__ == "__main__":
    main()
