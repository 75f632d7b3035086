"""Where a run ends by itself, said once for every driver."""

from __future__ import annotations

from collections.abc import Iterator

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
