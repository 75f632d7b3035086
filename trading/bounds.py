"""Where a run ends by itself, said once for every driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from trading.engine.bars import NANOS_PER_SECOND, Bar


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
    bars: AsyncGenerator[Bar | None, None], wake: asyncio.Event, max_bars: int | None, duration_minutes: float | None
) -> AsyncGenerator[Bar | None, None]:
    """The same of bars as they happen, where a duration counts from now, whether a bar comes or not.

    ``wake`` is what the stream of ``bars`` listens to.
    """
    over = asyncio.Event()

    def end() -> None:
        over.set()
        wake.set()

    loop = asyncio.get_running_loop()
    alarm = None if duration_minutes is None else loop.call_later(duration_minutes * 60, end)
    count = 0
    try:
        async with aclosing(bars):
            async for bar in bars:
                if over.is_set():
                    return
                yield bar
                count += bar is not None
                if count == max_bars:
                    return
    finally:
        if alarm is not None:
            alarm.cancel()
