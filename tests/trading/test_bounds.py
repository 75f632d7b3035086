import asyncio

from tests.engine.builders import bar
from trading.bounds import bounded, bounded_live


def minutes(bars):
    return [one.close for one in bars]


def walk(count):
    return iter([bar(float(minute + 1), minute=minute) for minute in range(count)])


def test_without_bounds_all_bars_pass():
    assert minutes(bounded(walk(3), None, None)) == [1.0, 2.0, 3.0]


def test_max_bars_counts_bars_and_does_not_wait_for_another():
    source = walk(5)
    assert minutes(bounded(source, 2, None)) == [1.0, 2.0]
    assert next(source).close == 3.0


def test_the_duration_is_event_time_from_the_first_bar():
    assert minutes(bounded(walk(10), None, 3)) == [1.0, 2.0, 3.0]


def test_the_tighter_bound_ends_the_run():
    assert minutes(bounded(walk(10), 2, 5)) == [1.0, 2.0]
    assert minutes(bounded(walk(10), 9, 4)) == [1.0, 2.0, 3.0, 4.0]


def heard(max_bars=None, duration_minutes=None, bars=(), waits=True):
    """The bars of a live stream within bounds, and the seconds that they took."""

    async def stream(wake):
        for one in bars:
            yield one
        while waits:
            await wake.wait()
            wake.clear()
            yield None

    async def take():
        wake = asyncio.Event()
        found = bounded_live(stream(wake), wake, max_bars, duration_minutes)
        return [one.close async for one in found if one is not None]

    return asyncio.run(asyncio.wait_for(take(), 10))


def test_a_live_stream_ends_with_its_last_bar():
    assert heard(max_bars=2, bars=walk(5)) == [1.0, 2.0]


def test_a_live_stream_ends_when_its_time_is_over_although_no_bar_comes():
    assert heard(duration_minutes=0.05 / 60, bars=walk(2)) == [1.0, 2.0]


def test_an_unbounded_live_stream_ends_with_its_source():
    assert heard(bars=walk(3), waits=False) == [1.0, 2.0, 3.0]
