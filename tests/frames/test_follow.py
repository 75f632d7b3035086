import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from tests.frames.conftest import collect
from trading import frames
from trading.frames import stream
from trading.frames.bell import Bell
from trading.frames.publishing import FramePublisher

TASK = "task-1"
NUMBERS = [str(number) for number in range(10)]


async def say(publisher: FramePublisher, run_id: UUID, *texts: str) -> None:
    """Each text as a frame of its own write."""
    for text in texts:
        publisher.publish(run_id, TASK, "order.placed", text)
        assert await asyncio.to_thread(publisher.flush, run_id, 5)


def seen(found: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(frame["seq"], frame["message"]) for frame in found]


async def test_every_frame_arrives_once_and_in_order(publisher: FramePublisher, run_id: UUID) -> None:
    following = asyncio.create_task(collect(run_id, "end"))
    await say(publisher, run_id, *NUMBERS, "end")
    assert seen(await asyncio.wait_for(following, 5)) == list(enumerate([*NUMBERS, "end"], 1))


@pytest.mark.parametrize("lost", [1, 2], ids=["every ring", "every other ring"])
async def test_a_lost_ring_loses_no_frame(
    publisher: FramePublisher, run_id: UUID, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    ring, rung = Bell.ring, []

    def ring_badly(bell: Bell, news: Mapping[str, int]) -> None:
        rung.append(news)
        if len(rung) % lost:
            ring(bell, news)

    monkeypatch.setattr(Bell, "ring", ring_badly)
    following = asyncio.create_task(collect(run_id, "end"))
    await say(publisher, run_id, *NUMBERS, "end")
    assert seen(await asyncio.wait_for(following, 5)) == list(enumerate([*NUMBERS, "end"], 1))


async def test_who_comes_back_gets_what_came_after(publisher: FramePublisher, run_id: UUID) -> None:
    await say(publisher, run_id, *NUMBERS, "end")
    assert seen(await collect(run_id, "end", after=8)) == [(9, "8"), (10, "9"), (11, "end")]


async def test_who_comes_late_sees_the_latest_from_the_start_on(publisher: FramePublisher, run_id: UUID) -> None:
    for number in range(300):
        publisher.publish(run_id, TASK, "order.placed", str(number))
    await asyncio.to_thread(publisher.flush, run_id, 5)
    assert [frame["seq"] for frame in await collect(run_id, "299", after=None)] == list(range(101, 301))
    assert len(await collect(run_id, "299", after=0)) == 300


async def test_flushing_everything_in_the_middle_loses_nobody(
    publisher: FramePublisher, run_id: UUID, server: redis.Redis
) -> None:
    before = asyncio.create_task(collect(run_id, "before"))
    following = asyncio.create_task(collect(run_id, "end"))
    await say(publisher, run_id, *NUMBERS[:5], "before")
    await before
    server.flushall()
    await say(publisher, run_id, *NUMBERS[5:], "end")
    assert seen(await asyncio.wait_for(following, 5)) == list(
        enumerate([*NUMBERS[:5], "before", *NUMBERS[5:], "end"], 1)
    )


async def test_a_stream_that_begins_anew_is_followed_anew(
    make_publisher: Callable[[], FramePublisher], run_id: UUID, server: redis.Redis
) -> None:
    first, second = make_publisher(), make_publisher()
    await say(first, run_id, *NUMBERS)
    found: list[str] = []
    async with aclosing(frames.follow(run_id, 0)) as batches:
        async for batch in batches:
            found += [frame.json.decode() for frame in batch]
            if len(found) == 10:
                break
        server.flushall()
        assert not await anext(batches)
        await say(second, run_id, "anew")
        async for batch in batches:
            if batch:
                assert [frame.seq for frame in batch] == [1]
                break


async def test_two_readers_at_different_speeds_see_the_same(publisher: FramePublisher, run_id: UUID) -> None:
    fast = asyncio.create_task(collect(run_id, "end"))
    slow: list[int] = []
    async with aclosing(frames.follow(run_id, 0)) as batches:
        await anext(batches)
        await say(publisher, run_id, *NUMBERS, "end")
        # The fast one is done before the slow one reads on.
        quick = [frame["seq"] for frame in await asyncio.wait_for(fast, 5)]
        async for batch in batches:
            slow += [frame.seq for frame in batch]
            if len(slow) == 11:
                break
    assert slow == quick == list(range(1, 12))


async def test_who_is_too_slow_is_moved_on_and_told_how_far(
    publisher: FramePublisher, run_id: UUID, server: redis.Redis
) -> None:
    await say(publisher, run_id, *NUMBERS, "end")
    server.xtrim(stream.key_of(run_id), maxlen=5, approximate=False)
    (first, *others) = await collect(run_id, "end", after=2)
    assert (first["seq"], first["skipped"]) == (7, 4)
    assert [frame["seq"] for frame in others] == [8, 9, 10, 11]
    assert all("skipped" not in frame for frame in others)


async def test_a_stream_is_bounded_and_does_not_live_for_ever(
    publisher: FramePublisher, run_id: UUID, server: redis.Redis
) -> None:
    for number in range(12_000):
        publisher.publish(run_id, TASK, "order.placed", str(number))
        if number % 1_000 == 999:
            await asyncio.to_thread(publisher.flush, run_id, 5)
    assert stream.KEPT <= server.xlen(stream.key_of(run_id)) < stream.KEPT + 200
    assert stream.KEPT_SECONDS - 86_400 < server.ttl(stream.key_of(run_id)) <= stream.KEPT_SECONDS


async def test_control_frames_of_all_runs_are_told(publisher: FramePublisher, server: redis.Redis) -> None:
    runs = [uuid4(), uuid4()]
    async with aclosing(frames.follow_control()) as batches:
        await anext(batches)
        for run_id in runs:
            for stage in ("start", "order.placed", "equity.update", "risk.halted", "done"):
                publisher.publish(run_id, TASK, stage, stage)
            await asyncio.to_thread(publisher.flush, run_id, 5)
        texts: list[bytes] = []
        async for batch in batches:
            texts += batch
            if len(texts) == 6:
                break
    for run_id, told in ((runs[0], texts[:3]), (runs[1], texts[3:])):
        assert all(str(run_id).encode() in text for text in told)
        assert [text[:9] for text in told] == [b'{"seq":1,', b'{"seq":4,', b'{"seq":5,']


def test_the_number_to_resume_after_is_checked() -> None:
    assert [frames.number(text) for text in (None, "", "0", "17")] == [None, None, 0, 17]
    for wrong in ("-1", "1.5", "seq", "9" * 16, "²"):
        with pytest.raises(ValueError, match="give the seq of the last frame"):
            frames.number(wrong)
