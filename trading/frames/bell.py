"""The doorbell: one short message over the channel layer says which runs have news.

It may be lost without harm, since whoever follows a run also looks by itself once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

GROUP = "frames"
RING_TIMEOUT = 1.0
RETRY_SECONDS = 1.0


class Bell:
    """Rings from one thread, on an event loop of its own."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self, news: Mapping[str, int]) -> None:
        """Tell all followers the last number of each run, by the run's key."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            self._loop.run_until_complete(asyncio.wait_for(_send(dict(news)), RING_TIMEOUT))
        except (RedisError, OSError, TimeoutError) as error:
            log.info("a ring for %d runs was lost: %s", len(news), error)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.close()


async def _send(news: dict[str, int]) -> None:
    await get_channel_layer().group_send(GROUP, {"type": "frames.news", "runs": news})


class _Listeners:
    """Everybody who listens in one event loop, behind one subscription."""

    def __init__(self) -> None:
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def add(self, name: str, event: asyncio.Event) -> None:
        self._events[name].add(event)
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="frames: doorbell")

    def remove(self, name: str, event: asyncio.Event) -> None:
        self._events[name].discard(event)
        if not self._events[name]:
            del self._events[name]
        if not self._events and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _listen(self) -> None:
        # While there are events, rather than for ever: asyncio.wait_for, which the Redis client uses, may swallow the
        # cancellation (Python 3.11).
        while self._events:
            try:
                await self._hear()
            except (RedisError, OSError) as error:
                log.warning("the doorbell of frames cannot be heard, looking once a second instead: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        # What was written before the subscription stood has rung in vain.
        self._wake(self._events)
        try:
            while self._events:
                message = await layer.receive(channel)
                self._wake([*message["runs"], ANY])
        finally:
            await layer.group_discard(GROUP, channel)

    def _wake(self, names: Mapping[str, object] | list[str]) -> None:
        for name in list(names):
            for event in self._events.get(name, ()):
                event.set()


#: Listening under this name wakes at the news of any run.
ANY = "*"
_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, _Listeners] = WeakKeyDictionary()


@contextmanager
def listening(name: str) -> Iterator[asyncio.Event]:
    """An event that is set at each ring for the run's key ``name``; the caller clears it."""
    here = _listeners.setdefault(asyncio.get_running_loop(), _Listeners())
    event = asyncio.Event()
    here.add(name, event)
    try:
        yield event
    finally:
        here.remove(name, event)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for a ring, at most so long."""
    with suppress(TimeoutError):
        # Not wait_for, which in Python 3.11 swallows a cancellation that comes together with the ring.
        async with asyncio.timeout(seconds):
            await event.wait()
