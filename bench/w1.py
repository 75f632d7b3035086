"""What a bar and an order cost: `python -m bench.w1 --tries 7`, with `--profile` where the time goes.

Workload W1 of `bench.peers` (a moving-average cross on one symbol) with all that a backtest does for a bar: matching,
the pre-trade check, portfolio, records and the equity curve.
"""

from __future__ import annotations

import cProfile
import pstats
import time

import numpy as np
from numpy.typing import NDArray

from bench import figures
from bench.peers.clients.ours import prepare
from bench.peers.environments import folder
from bench.peers.workloads import CASES, Work, make_files


class Still(Work):
    """The same bars with closes that stand still, so that nothing is traded."""

    def arrays(self) -> NDArray[np.float64]:
        bars = super().arrays()
        bars[:, :, 3] = 1000.0
        return bars


def timed(work: Work) -> tuple[int, float]:
    """The fills, and the seconds that the loop took."""
    run, outcome = prepare(work)
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    return outcome().fills, seconds


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--tries", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    options = parser.parse_args()
    bars = folder() / "bars"
    make_files(bars)
    case = CASES["w1-2m"]
    work, still = Work(bars, case, options.bars), Still(bars, case, options.bars)
    if options.profile:
        run, _ = prepare(work)
        profile = cProfile.Profile()
        profile.runcall(run)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    table = figures.Figures("w1", options.json)
    rates, bar_costs, order_costs = [], [], []
    for _ in range(options.tries):
        _, seconds = timed(still)
        bar_costs.append(seconds / work.bars * 1e6)
        fills, whole = timed(work)
        rates.append(work.bars / whole)
        order_costs.append((whole - seconds) / fills * 1e6)
    table.add("bars", "a second", rates)
    table.add("a bar, where the price stands still and nothing is traded", "us", bar_costs)
    table.add("an order from request to fill, and what it is to hold", "us", order_costs)
    table.show()


if __name__ == "__main__":
    main()
