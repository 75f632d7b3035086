"""Quoting options: the inventory risk of `LucicTseOptionsStrategy` beside that of a quoter of fixed width.

    python -m bench.option_quotes --quotes QUOTES.csv --bars BARS.csv

Both see the same quotes and meet the same arrivals, hedge their delta alike and have the same caps; they differ in
where they quote. Prints a row per quoter: the root mean square and the greatest of the book's vega (money per
volatility point), the most contracts held of one option, profit with its deviation over the seeds, fills, and the bars
after which a cap was exceeded.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from brokers.sim import SimulatedBrokerage
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from trading.backtest import Curve, drive
from trading.engine.bars import Bar
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.instruments import Right, instrument_of, option_symbol
from trading.engine.risk import Watched
from trading.feeds import QuotesFeed
from trading.feeds.tables import Floats
from trading.strategies.lucic_tse import LucicTseOptionsStrategy, View

CASH = Decimal(10_000_000)


class FixedWidthQuoter(LucicTseOptionsStrategy):
    """The same market maker without a view and without a care for its inventory: it always quotes 1 / decay away."""

    def offsets(self, view: View, vega: float, book_vega: float, unit: float) -> tuple[float, float]:
        return 1 / self.decay, 1 / self.decay


@dataclass(frozen=True)
class Session:
    """``vega`` of the book and ``contracts``, the most held of one option, both at every stamp; ``breaches`` are the
    bars after which a cap was exceeded."""

    vega: Floats
    contracts: Floats
    profit: float
    fills: int
    breaches: int

    @property
    def risk(self) -> float:
        """The root mean square of the vega that was held."""
        return float(np.sqrt(np.mean(self.vega**2)))


def trade(strategy: LucicTseOptionsStrategy, feed: QuotesFeed, seed: int) -> Session:
    """One pass over a prepared feed, up to its last quote, with arrivals as the strategy thinks they are."""
    options = [symbol for symbol in feed.universe if instrument_of(symbol).option is not None]
    underlyings = [symbol for symbol in feed.universe if symbol not in options]
    arrivals = {"intensity": strategy.intensity, "decay": strategy.decay, "seed": seed}
    venue = SimulatedBrokerage(starting_cash=CASH, arrivals=arrivals)
    venue.interval = feed.interval
    agent = RiskManagementAgent(RiskLimits(), CASH)
    engine = Engine("bench", strategy, agent, feed.universe, CASH)
    vega: dict[int, float] = {}
    contracts: dict[int, float] = {}
    breaches = 0

    def watch(run: Watched, equity: float) -> Sequence[Effect]:
        nonlocal breaches
        vega[engine.now] = sum(strategy.vega(underlying, engine) for underlying in underlyings)
        contracts[engine.now] = max(abs(float(engine.qty(symbol))) for symbol in options)
        breaches += abs(vega[engine.now]) > strategy.max_vega or contracts[engine.now] > strategy.max_contracts
        return ()

    agent.watch = watch
    drive(engine, venue, _quoted_part(list(feed.bars()), options), Curve())
    held, most = np.array(list(vega.values())), np.array(list(contracts.values()))
    return Session(held, most, float(engine.equity - CASH), engine.fills, breaches)


def _quoted_part(bars: Sequence[Bar], options: Sequence[str]) -> list[Bar]:
    last = max(bar.time for bar in bars if bar.symbol in options)
    return [bar for bar in bars if bar.time <= last]


def universe_of(quotes: Path) -> list[str]:
    """The underlyings of a file of quotes, and then its options."""
    with quotes.open(newline="") as file:
        rows = {(row["underlying"], row["expiry"], row["right"], row["strike"]) for row in csv.DictReader(file)}
    options = {option_symbol(root, date.fromisoformat(day), Right(right), Decimal(k)) for root, day, right, k in rows}
    return [*sorted({root for root, *_ in rows}), *sorted(options)]


def row(name: str, sessions: Sequence[Session]) -> str:
    """A quoter's line of the table, over its sessions of all seeds."""
    risk = np.mean([session.risk for session in sessions])
    worst = max(float(np.abs(session.vega).max()) for session in sessions)
    most = max(float(session.contracts.max()) for session in sessions)
    profits = [session.profit for session in sessions]
    fills, breaches = np.mean([one.fills for one in sessions]), sum(one.breaches for one in sessions)
    return (
        f"| {name} | {risk:.1f} | {worst:.1f} | {most:.0f} | {np.mean(profits):.0f} | {np.std(profits):.0f} "
        f"| {fills:.0f} | {breaches} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quotes", type=Path, required=True)
    parser.add_argument("--bars", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    feed = QuotesFeed(universe_of(args.quotes), str(args.quotes.resolve()), str(args.bars.resolve()))
    feed.prepare()
    print("| quoter | vega, rms | vega, most | contracts, most | profit | its deviation | fills | beyond a cap |")
    print("|---|---|---|---|---|---|---|---|")
    for quoter in (LucicTseOptionsStrategy, FixedWidthQuoter):
        print(row(quoter.__name__, [trade(quoter(), feed, seed) for seed in range(1, args.seeds + 1)]))


if __name__ == "__main__":
    main()
