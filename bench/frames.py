"""What showing costs: `python -m bench.frames`, against the Redis of REDIS_URL or of the stack that is up.

Prints the microseconds that a call of `publish` takes a session's thread, the CPU time of the publisher, and how long
a frame takes from `publish` to a follower.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from contextlib import aclosing
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
django.setup()

from django.conf import settings  # noqa: E402  (needs the settings)

from trading import frames  # noqa: E402
from trading.frames.publishing import FramePublisher  # noqa: E402

BAR = {"symbol": "SPY", "open": 169.1, "high": 169.3, "low": 169.0, "close": 169.2, "volume": 120_300.0}
POSITION = {"symbol": "SPY", "qty": "100", "avg_price": "169.05", "last_price": "169.2", "unrealized_pnl": "15"}
SESSIONS, SECONDS, BARS = 150, 10, 8_000


def show_bar(publisher: FramePublisher, run_id: object) -> list[float]:
    """The three frames of a bar; microseconds of each call."""
    took = []
    for stage, extras in (
        ("bar.received", BAR),
        ("order.filled", {"order_id": "1", "symbol": "SPY", "qty": "100", "price": "169.2"}),
        ("equity.update", {"equity": "100015", "cash": "83095", "positions": [POSITION]}),
    ):
        started = time.perf_counter_ns()
        publisher.publish(run_id, "task", stage, "SPY", 1_380_634_200_000_000_000, **extras)
        took.append((time.perf_counter_ns() - started) / 1000)
    return took


def line(name: str, took: list[float], unit: str = "us") -> None:
    took = sorted(took)
    print(
        f"{name}: p50 {statistics.median(took):.1f}  p99 {took[int(len(took) * 0.99)]:.1f}  max {took[-1]:.0f} {unit}"
    )


def replay(publisher: FramePublisher) -> None:
    run_id, took = uuid4(), []
    started = time.perf_counter()
    for _ in range(BARS):
        took += show_bar(publisher, run_id)
    seconds = time.perf_counter() - started
    publisher.flush(run_id, 30)
    line(f"replay of {BARS} bars in {seconds:.2f} s, a call", took)
    print(f"  written after {time.perf_counter() - started:.2f} s")


def live(publisher: FramePublisher) -> None:
    took: list[float] = []
    begin = time.monotonic() + 0.5

    def session() -> None:
        run_id = uuid4()
        for second in range(SECONDS):
            time.sleep(max(0.0, begin + second - time.monotonic()))
            took.extend(show_bar(publisher, run_id))

    cpu = time.process_time()
    threads = [threading.Thread(target=session) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu = time.process_time() - cpu
    line(f"{SESSIONS} sessions at 1 bar/s, a call", took)
    print(f"  CPU of the whole process {cpu / SECONDS * 1000:.0f} ms a second")


async def latency(publisher: FramePublisher) -> None:
    run_id, took = uuid4(), []
    ready = asyncio.Event()

    async def follower() -> None:
        async with aclosing(frames.follow(run_id, 0)) as batches:
            async for batch in batches:
                ready.set()
                for frame in batch:
                    took.append((time.perf_counter_ns() - int(frame.json.split(b'"at":')[1][:-1])) / 1e6)
                if len(took) == 200:
                    return

    following = asyncio.create_task(follower())
    await ready.wait()
    for _ in range(200):
        publisher.publish(run_id, "task", "order.placed", "x", at=time.perf_counter_ns())
        await asyncio.sleep(0.02 + 0.03 * (time.perf_counter_ns() % 1000) / 1000)
    await following
    line("publish to follower", took, "ms")


if __name__ == "__main__":
    publisher = FramePublisher(settings.REDIS_URL)
    replay(publisher)
    live(publisher)
    asyncio.run(latency(publisher))
    publisher.close()
