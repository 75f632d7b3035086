import asyncio

import pytest

from tests.feeds.tables import prepared, row, write
from trading.feeds.pacing import paced


@pytest.fixture
def feed_of(tmp_path):
    def make(minutes, speed="max", symbols=("SPY",)):
        rows = [row(minute, symbol) for minute in minutes for symbol in symbols]
        return prepared(write(tmp_path / "bars.csv", rows), symbols, speed)

    return make


async def arrivals(feed, wake=None):
    """Seconds from the start to each item, and the items."""
    loop = asyncio.get_running_loop()
    start, found = loop.time(), []
    async for bar in paced(feed.bars(), feed, wake or asyncio.Event()):
        found.append((loop.time() - start, bar))
    return found


async def test_the_first_bar_comes_at_once_and_each_further_stamp_one_bar_time_later(feed_of):
    found = await arrivals(feed_of(range(10), "3000x", ("SPY", "BAC")))
    assert len(found) == 20
    for index, (seconds, _) in enumerate(found):
        due = index // 2 * 0.02
        assert due - 0.001 <= seconds < due + 0.5


async def test_gaps_are_not_waited_for(feed_of):
    found = await arrivals(feed_of([0, 1, 2, 600, 1440, 20000], "3000x"))
    assert found[-1][0] < 1


async def test_delays_do_not_add_up(feed_of):
    feed, now = feed_of(range(5), "60x"), [0.0]
    stream = paced(feed.bars(), feed, asyncio.Event(), clock=lambda: now[0])
    assert await anext(stream)
    now[0] = 3.0
    for _ in range(3):
        assert await asyncio.wait_for(anext(stream), 0.5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.05)


async def test_a_wait_is_cut_short_by_waking(feed_of):
    feed, wake = feed_of([0, 1], "1x"), asyncio.Event()
    stream = paced(feed.bars(), feed, wake)
    assert await anext(stream)
    asyncio.get_running_loop().call_later(0.01, wake.set)
    assert await asyncio.wait_for(anext(stream), 5) is None


async def test_waking_is_told_between_two_bars_too(feed_of):
    feed, wake = feed_of([0, 1]), asyncio.Event()
    stream = paced(feed.bars(), feed, wake)
    assert await anext(stream)
    wake.set()
    assert await anext(stream) is None
    wake.clear()
    assert await anext(stream)


async def test_a_wait_can_be_cancelled(feed_of):
    task = asyncio.create_task(arrivals(feed_of([0, 1], "1x")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("speed", ["max", "60x"])
async def test_whoever_takes_bars_without_a_pause_leaves_the_others_their_turn(feed_of, speed):
    feed, now, turns = feed_of(range(20), speed), [0.0], 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    async for _ in paced(feed.bars(), feed, asyncio.Event(), clock=lambda: now[0]):
        now[0] += 2.0
    task.cancel()
    assert turns >= 19
