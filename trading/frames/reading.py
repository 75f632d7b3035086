"""Reading the stream of a run: once, or for as long as it grows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
import redis
import redis.asyncio
from django.conf import settings

from trading.frames import bell, stream

log = logging.getLogger(__name__)

#: How often a follower looks by itself, so that a lost ring costs a second and no more.
LOOK_SECONDS = 1.0
BATCH = 200
#: Frames that a follower without a number of its own begins with.
LATEST = 200
REDIS_TIMEOUT = 5.0

Entry = tuple[bytes, Mapping[bytes, bytes]]


class Frame(NamedTuple):
    """``json`` is the whole frame as JSON text, ``seq`` in it."""

    seq: int
    stage: str
    json: bytes


def read(run_id: UUID, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """The kept frames of a run with a number above ``after``, oldest first, at most ``limit``.

    A frame that follows a gap (what came before is kept no longer) says with ``skipped`` how many are missing. Raises
    redis.RedisError when Redis is away.
    """
    entries = client().xrange(stream.key_of(run_id), min=f"{after + 1}-0", count=limit)
    return [msgspec.json.decode(frame.json) for frame in _frames(entries, after)]


def number(text: str | None) -> int | None:
    """The number that a client resumes after, from its text; None for none. Raises ValueError with the fix."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ValueError(f"after is {text[:20]!r}: give the seq of the last frame that you have, or leave it out")
    return int(text)


async def follow(run_id: UUID, after: int | None = None) -> AsyncGenerator[list[Frame], None]:
    """The frames of a run after number ``after``, as they come, for ever; without it, from the latest 200 on.

    Yields at least once a second, an empty list when nothing came, so that a caller can look after other things. A
    follower that is slower than the stream is moved on to what is still kept, and the next frame tells by ``skipped``
    how many were missed. Redis being away is waited out.
    """
    key = stream.key_of(run_id)
    where = _Place(after)
    with bell.listening(run_id.hex) as news:
        while True:
            news.clear()
            try:
                frames = await where.advance(_async_client(), key)
            except (redis.RedisError, OSError) as error:
                where.tell_away(run_id, error)
                frames = []
            yield frames
            if len(frames) < BATCH:
                await bell.wait(news, LOOK_SECONDS)


class _Place:
    """How far a follower is in a stream."""

    def __init__(self, after: int | None) -> None:
        self._after = after
        self._shrunk_to: int | None = None
        self._away = False

    async def advance(self, client: redis.asyncio.Redis, key: str) -> list[Frame]:
        if self._after is None:
            self._after = max(0, await _last(client, key) - LATEST)
        entries = await client.xrange(key, min=f"{self._after + 1}-0", count=BATCH)
        self._away = False
        frames = _frames(entries, self._after)
        if frames:
            self._after = frames[-1].seq
            self._shrunk_to = None
        else:
            await self._notice_new_numbering(client, key)
        return frames

    async def _notice_new_numbering(self, client: redis.asyncio.Redis, key: str) -> None:
        """A stream that was lost together with whoever wrote it begins again at 1, below where we are.

        One that merely lost its end goes on above where we are, so only a stream that grows below it counts.
        """
        last = await _last(client, key)
        if self._after is None or last >= self._after:
            self._shrunk_to = None
        elif self._shrunk_to is None:
            self._shrunk_to = last
        elif last != self._shrunk_to:
            self._after, self._shrunk_to = min(last, self._shrunk_to), None

    def tell_away(self, run_id: UUID, error: Exception) -> None:
        if not self._away:
            log.warning("frames of run %s cannot be read, waiting for Redis: %s", run_id, error)
        self._away = True


async def follow_control() -> AsyncGenerator[list[bytes], None]:
    """The control frames (start, halts, kills, ends) of all runs from now on, as JSON texts.

    Yields, a list that may be empty, at each ring for any run and at least once a second.
    """
    after: str | None = None
    with bell.listening(bell.ANY) as news:
        while True:
            news.clear()
            texts: list[bytes] = []
            try:
                client = _async_client()
                if after is None:
                    newest = await client.xrevrange(stream.CONTROL_KEY, count=1)
                    after = newest[0][0].decode() if newest else "0-0"
                for entry_id, fields in await client.xrange(stream.CONTROL_KEY, min=f"({after}", count=BATCH):
                    after = entry_id.decode()
                    texts.append(_numbered(fields[b"f"], int(fields[b"q"]), 0))
            except (redis.RedisError, OSError) as error:
                log.info("control frames cannot be read, waiting for Redis: %s", error)
            yield texts
            await bell.wait(news, LOOK_SECONDS)


def _frames(entries: Sequence[Entry], after: int) -> list[Frame]:
    frames = []
    for entry_id, fields in entries:
        seq = int(entry_id.partition(b"-")[0])
        frames.append(Frame(seq, fields[b"s"].decode(), _numbered(fields[b"f"], seq, seq - after - 1)))
        after = seq
    return frames


def _numbered(body: bytes, seq: int, skipped: int) -> bytes:
    gap = b'"skipped":%d,' % skipped if skipped else b""
    return b'{"seq":%d,%b%b' % (seq, gap, body[1:])


async def _last(client: redis.asyncio.Redis, key: str) -> int:
    entries = await client.xrevrange(key, count=1)
    return int(entries[0][0].partition(b"-")[0]) if entries else 0


@cache
def client() -> redis.Redis:
    """The synchronous connections of this process."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT)


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def _async_client() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
        )
    return _clients[loop]
