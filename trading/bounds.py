"""Where a run ends by itself, said once for every driver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.feeds.base import LiveStream, Warming


def bounded(bars: Iterator[Bar], max_bars: int | None, duration_minutes: float | None) -> Iterator[Bar]:
    """The bars of a run: at most ``max_bars``, and none that starts ``duration_minutes`` or more after the first."""
    if max_bars is None and duration_minutes is None:
        return bars
    return _bounded(bars, max_bars, duration_minutes)


def _bounded(bars: Iterator[Bar], max_bars: int | None, duration_minutes: float | None) -> Iterator[Bar]:
    end: float | None = None
    for count, bar in enumerate(bars, start=1):
        if duration_minutes is not None:
            if end is None:
                end = bar.time + duration_minutes * 60 * NANOS_PER_SECOND
            if bar.time >= end:
                return
        yield bar
        if count == max_bars:
            return


async def bounded_live(
    bars: LiveStream, wake: asyncio.Event, max_bars: int | None, duration_minutes: float | None, count: int = 0
) -> LiveStream:
    """The same of bars as they happen, where a duration counts from now, whether a bar comes or not; bars that are past
    do not count.

    ``count`` bars were seen before. ``wake`` is what the stream of ``bars`` listens to.
    """
    over = asyncio.Event()

    def end() -> None:
        over.set()
        wake.set()

    loop = asyncio.get_running_loop()
    alarm = None if duration_minutes is None else loop.call_later(duration_minutes * 60, end)
    try:
        async with aclosing(bars):
            if max_bars is not None and count >= max_bars:
                return
            async for bar in bars:
                if over.is_set():
                    return
                yield bar
                if isinstance(bar, Warming):
                    count -= bar.bars
                elif bar is not None:
                    count += 1
                if count == max_bars:
                    return
    finally:
        if alarm is not None:
            alarm.cancel()
