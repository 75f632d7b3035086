"""Orders a second through intent, gate, simulated venue and ledger: `python -m bench.orders --bars 500`.

Sessions at pace `max` over a file whose price goes up and down by turns, so that the strategy asks for an order at each
bar. One session alone, and eight at once, of which the two processes of the jobs worker carry two at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import figures
from bench.stack import Stack, recipe, running, started, wait_until

_RATE = """
    SELECT (SELECT count(*) FROM orders WHERE run_id = ANY(%(runs)s::uuid[]) AND status = 'filled')
           / extract(epoch FROM max(ended_at) - min(started_at)),
           bool_and(status = 'completed')
      FROM runs WHERE id = ANY(%(runs)s::uuid[])
"""


def write_bars(path: Path, bars: int) -> Path:
    """Minute bars of SPY from 2024-01-02 on, round the clock, whose closes alternate."""
    lines = ["timestamp,symbol,open,high,low,close,volume"]
    for number in range(bars):
        minute, price = number % 60, 100 + number % 2
        hour, day = number // 60 % 24, number // 1440
        stamp = f"2024-01-{2 + day:02d}T{hour:02d}:{minute:02d}:00Z"
        lines.append(f"{stamp},SPY,{price},{price + 1},{price - 1},{price},1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def trader(path: Path) -> dict[str, Any]:
    """Long after each rise, flat after each fall."""
    strategy = {"class": "SmaCrossStrategy", "kwargs": {"fast": 1, "slow": 2, "quantity": 10}}
    feed = {"class": "ReplayFeed", "kwargs": {"path": str(path), "speed": "max"}}
    return {**recipe(strategy, feed), "universe": ["SPY"]}


def rate(stack: Stack, path: Path, sessions: int) -> float:
    with stack.database() as database:
        runs = stack.start(trader(path), sessions)
        wait_until(lambda: running(database) == 0, seconds=300, every=0.5)
        found = database.execute(_RATE, {"runs": runs}).fetchone()
    if found is None or not found[1]:
        raise SystemExit("a session did not complete")
    return float(found[0])


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--bars", type=int, default=500, help="of one session, at most 40,000")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--tries", type=int, default=3)
    options = parser.parse_args()
    table = figures.Figures("orders", options.json)
    with started() as stack:
        path = write_bars(stack.var / "bars.csv", min(options.bars, 40_000))
        for sessions in options.sessions:
            rates = [rate(stack, path, sessions) for _ in range(options.tries)]
            table.add(f"{sessions:>3} sessions: orders", "a second", rates)
    table.show()


if __name__ == "__main__":
    main()
