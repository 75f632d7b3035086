"""The one place that turns any feed's bars into a stream at its pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final

from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.feeds.base import IFeed

#: After so long without waiting, the other tasks of the loop have their turn.
TURN_SECONDS: Final = 0.005


async def paced(
    bars: Iterator[Bar],
    feed: IFeed,
    wake: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Bar | None, None]:
    """Give each bar when it is due, and None whenever ``wake`` is set, for the caller to look why and to clear it.

    The first bar is due at once, and the bars of each next stamp one bar time / pace later. Due times are counted from
    the start, so that no delay adds up; nights, weekends and missing minutes are not waited for.
    """
    spacing = feed.interval / NANOS_PER_SECOND / feed.pace if feed.pace else 0.0
    start = clock()
    stamp: int | None = None
    steps = -1
    turned = start
    for bar in bars:
        if bar.time != stamp:
            stamp = bar.time
            steps += 1
            due = start + steps * spacing
            while spacing and (left := due - clock()) > 0:
                if await _woken(wake, left):
                    yield None
        if wake.is_set():
            yield None
        yield bar
        if clock() - turned > TURN_SECONDS:
            await asyncio.sleep(0)
            turned = clock()


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    """Whether ``wake`` was set within this time."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return False
    return True
