"""Real Redis, and publishers of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from access import tokens
from access.models import ApiToken
from trading import frames
from trading.frames.publishing import FramePublisher
from trading.models import Mode, Run


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


@pytest.fixture
def run(transactional_db: None, run_id: UUID) -> Run:
    return Run.objects.create(
        id=run_id, task_id=f"task-{run_id.hex}", name="demo", mode=Mode.PAPER, recipe={}, starting_cash=100_000
    )


@pytest.fixture
def token(transactional_db: None) -> str:
    """The secret of a token that may read."""
    secret = tokens.new_secret()
    ApiToken.objects.create(name="reader", scope="read", sha256=tokens.digest(secret))
    return secret


@pytest.fixture
def cookie(transactional_db: None) -> str:
    """The session cookie of somebody who is logged in and may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
