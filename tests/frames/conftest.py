"""Real Redis, and publishers of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import redis
from django.conf import settings

from trading import frames
from trading.frames.publishing import FramePublisher


@pytest.fixture
def server(servers: None) -> Iterator[redis.Redis]:
    """The Redis that frames are written to, empty."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def make_publisher(server: redis.Redis) -> Iterator[Callable[[], FramePublisher]]:
    made: list[FramePublisher] = []

    def make() -> FramePublisher:
        made.append(FramePublisher(settings.REDIS_URL))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def publisher(make_publisher: Callable[[], FramePublisher]) -> FramePublisher:
    return make_publisher()


@pytest.fixture
def run_id() -> UUID:
    return uuid4()


async def collect(run_id: UUID, until: str, after: int | None = 0) -> list[dict[str, Any]]:
    """What a follower sees up to the first frame whose message is `until`."""
    seen: list[dict[str, Any]] = []
    async with aclosing(frames.follow(run_id, after)) as batches:
        async for batch in batches:
            for frame in batch:
                seen.append(msgspec.json.decode(frame.json))
                if seen[-1]["message"] == until:
                    return seen
    return seen
