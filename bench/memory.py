"""What running sessions take: `python -m bench.memory --sessions 0 1 100 150 --seconds 20`.

With each number of sessions, at one bar a second of two symbols each: the resident memory and the processor time of the
live workers, and over all sessions the bars of a session in a second, and how late a bar was against its session's own
second. `emitted_at` of the `bar.received` frames in Redis is the clock.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import psutil
import redis

from bench import figures
from bench.stack import SYMBOLS, Stack, ladder, started, wait_until

SETTLE_SECONDS = 5.0
SAMPLES = 10


def memory_of(process: psutil.Process) -> float:
    """Resident megabytes of a process and its children."""
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 2**20


def bar_times(streams: redis.Redis, run_id: str) -> list[float]:
    """When a run took its bars, in seconds since the epoch."""
    entries: Any = streams.xrange(f"frames:{run_id}")
    texts = [fields[b"f"] for _, fields in entries if fields[b"s"] == b"bar.received"]
    return [datetime.fromisoformat(json.loads(text)["emitted_at"]).timestamp() for text in texts]


def lateness(times: Iterable[float]) -> Iterator[float]:
    """Milliseconds of each bar behind the earliest phase of the second that its run has kept."""
    phases = [moment % 1.0 for moment in times]
    turned = [(phase - phases[0] + 0.5) % 1.0 for phase in phases]
    return ((phase - min(turned)) * 1000 for phase in turned)


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[0, 1, 100, 150])
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    table = figures.Figures("memory", options.json)
    with started() as stack:
        runs: list[str] = []
        for sessions in sorted(options.sessions):
            runs += stack.start(ladder(), sessions - len(runs))
            measure(table, stack, runs, options.seconds)
    table.show()


def measure(table: figures.Figures, stack: Stack, runs: list[str], seconds: float) -> None:
    streams = redis.Redis.from_url(stack.servers["REDIS_URL"])
    wait_until(lambda: all(bar_times(streams, run) for run in runs), every=1.0)
    time.sleep(SETTLE_SECONDS)
    workers = stack.workers("live")
    begin, spent = time.time(), _spent(workers)
    resident = []
    for _ in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        resident.append(sum(memory_of(worker) for worker in workers))
    end, spent = time.time(), _spent(workers) - spent
    name = f"{len(runs):>3} sessions"
    table.add(f"{name}: memory of the live workers", "MB", resident)
    table.add(f"{name}: processor time of them", "% of a core", [spent / (end - begin) * 100])
    if not runs:
        return
    taken = [[moment for moment in bar_times(streams, run) if begin <= moment < end] for run in runs]
    table.add(
        f"{name}: bars of a session and symbol", "a second", [len(one) / len(SYMBOLS) / (end - begin) for one in taken]
    )
    table.add(f"{name}: lateness of a bar", "ms", [late for one in taken for late in lateness(one)])


def _spent(workers: list[psutil.Process]) -> float:
    """Seconds of processor time so far."""
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


if __name__ == "__main__":
    main()
