"""The kill, measured from the call: `python -m bench.kill --sessions 1 20 100 --tries 20`, about nine minutes.

Sessions at one bar a second, each with ten orders resting. Per try: until the gate file says engaged; until the last
cancel was sent (the ledger's own time of the last cancel event); until the ledger has no open order; until no session
runs; and until the call answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from bench import figures
from bench.stack import Stack, ladder, running, started, wait_until
from risk.gate import OrderGate, Verdict

ORDERS_OF_SESSION = 10
WAIT_SECONDS = 10.0

#: Whether there is one, not how many: counting a thousand rows a hundred times a second would be a load of its own.
_OPEN = """
    SELECT EXISTS (
        SELECT 1 FROM orders
         WHERE status IN ('intended', 'submitted', 'accepted', 'partially_filled', 'pending_cancel', 'unknown')
    )::int
"""
_BY_INDEX = "SET enable_seqscan = off"
_RESTING = "SELECT count(*) FROM orders WHERE status = 'accepted'"
_LAST_CANCEL = """
    SELECT extract(epoch FROM max(recorded_at)) FROM ledger_events
     WHERE kind IN ('order.pending_cancel', 'order.cancelled') AND run_id = ANY(%s::uuid[])
"""


@dataclass
class Try:
    """Milliseconds from the call."""

    began: float = field(default_factory=time.perf_counter)
    began_at: float = field(default_factory=time.time)
    seen: dict[str, float] = field(default_factory=dict)

    def watch(self, name: str, condition: Callable[[], bool], every: float) -> threading.Thread:
        """Note when ``condition`` comes true."""

        def look() -> None:
            while not condition():
                if time.perf_counter() > self.began + WAIT_SECONDS:
                    return
                time.sleep(every)
            self.seen[name] = (time.perf_counter() - self.began) * 1000

        thread = threading.Thread(target=look)
        thread.start()
        return thread


def measure(stack: Stack, sessions: int) -> dict[str, float]:
    """Start the sessions, wait for their orders to rest, kill, and release again."""
    with ExitStack() as held:
        orders, runs = held.enter_context(stack.database()), held.enter_context(stack.database())
        orders.execute(_BY_INDEX)
        started_runs = stack.start(ladder(), sessions)
        wait_until(lambda: _one(orders, _RESTING) == sessions * ORDERS_OF_SESSION)
        gate = OrderGate(stack.var / "gate")
        one = Try()
        threads = [
            one.watch("gate closed", lambda: gate.verdict() is Verdict.ENGAGED, 0.001),
            one.watch("no open order in the ledger", lambda: _one(orders, _OPEN) == 0, 0.01),
            one.watch("all sessions ended", lambda: running(runs) == 0, 0.03),
        ]
        stack.post("/portfolio/kill_switch", {"engaged": True, "reason": "drill"})
        one.seen["call answered"] = (time.perf_counter() - one.began) * 1000
        for thread in threads:
            thread.join()
        if len(one.seen) < len(threads) + 1:
            raise SystemExit(f"the kill did not come to its end within {WAIT_SECONDS:.0f} seconds: {one.seen}")
        last = _one(orders, _LAST_CANCEL, started_runs)
        one.seen["last cancel sent"] = (last - one.began_at) * 1000
    stack.cli("kill", "release", "--reason", "the drill is over")
    return one.seen


def _one(database: psycopg.Connection[Any], query: LiteralString, *parameters: object) -> float:
    """The one figure that a query answers."""
    row = database.execute(query, parameters).fetchone()
    return float(row[0]) if row else 0.0


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument("--tries", type=int, default=20)
    options = parser.parse_args()
    table = figures.Figures("kill", options.json)
    with started() as stack:
        for sessions in options.sessions:
            tries = [measure(stack, sessions) for _ in range(options.tries)]
            for name in ("gate closed", "last cancel sent", *tries[0]):
                if all(row.name != f"{sessions:>3} sessions: {name}" for row in table.rows):
                    table.add(f"{sessions:>3} sessions: {name}", "ms", [seen[name] for seen in tries])
    table.show()


if __name__ == "__main__":
    main()
