"""The sockets: the frames of one run, and the overview of all.

Each follows a stream (`trading.frames.follow`) and sends what comes; what a browser says is not listened to. A socket
is closed with 4401 (log in first), 4403 (not allowed, or another site's page), 4404 (no such run) or 4422 (`after` is
no number), always after it was accepted, since a browser cannot see why a handshake was refused.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from urllib.parse import parse_qs
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from channels.db import aclose_old_connections, database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, connections

from access.auth import principal_of_scope
from access.problems import Problem
from trading import frames, queries
from trading.frames.encode import iso
from trading.frames.pace import Pace
from trading.models import Run

log = logging.getLogger(__name__)

RECHECK_SECONDS = 30.0
#: The overview is read at most so often, and once a second while nothing rings: the ledger moves later than the frames.
OVERVIEW_SECONDS = 0.5
#: The codes of sockets that an application may choose begin here.
CLOSE_CODES = 4000


class Refused(Exception):
    """Why a socket is closed; ``status`` as in HTTP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class FramesConsumer(AsyncWebsocketConsumer):
    """A socket that sends the texts of `texts` until one side goes; who listens is checked again every 30 seconds."""

    # The doorbell is heard once for all sockets of the process: none has a channel of its own.
    channel_layer_alias = ""

    async def connect(self) -> None:
        await self.accept()
        self._sender = asyncio.create_task(self._serve())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected."""

    async def disconnect(self, code: int) -> None:
        # More than once, since the Redis client's wait_for may swallow a cancellation (Python 3.11).
        while not self._sender.done():
            self._sender.cancel()
            await asyncio.wait([self._sender], timeout=0.1)

    async def prepare(self) -> None:
        """Read what the connection asks for; raises `Refused`."""

    def texts(self) -> AsyncGenerator[Sequence[bytes], None]:
        """Batches of JSON texts, at least one batch a second, though it be empty."""
        raise NotImplementedError

    async def _serve(self) -> None:
        try:
            await self._admit()
            await self.prepare()
            await self._send_all()
        except Refused as refusal:
            await self.close(CLOSE_CODES + refusal.status, str(refusal))
        except Exception:
            log.exception("socket %s ends", self.scope["path"])
            await self.close(1011)

    async def _send_all(self) -> None:
        pace, checked = Pace(), time.monotonic()
        async with aclosing(self.texts()) as batches:
            async for batch in batches:
                for text in batch:
                    await pace.spend(len(text))
                    await self.send(text_data=text.decode())
                if time.monotonic() - checked > RECHECK_SECONDS:
                    await self._admit()
                    checked = time.monotonic()

    async def _admit(self) -> None:
        await aclose_old_connections()
        try:
            await principal_of_scope(self.scope, "read")
        except Problem as problem:
            raise Refused(problem.status, problem.title) from problem


class RunConsumer(FramesConsumer):
    """`/ws/paper/{paper_run_id}`: the frames of a run; after ``?after=SEQ``, or from the latest 200 on."""

    async def prepare(self) -> None:
        self._run_id = _run_id(self.scope["url_route"]["kwargs"]["run_id"])
        try:
            self._after = frames.number(parse_qs(self.scope["query_string"].decode("latin-1")).get("after", [""])[-1])
        except ValueError as error:
            raise Refused(422, str(error)) from error
        if not await database_sync_to_async(Run.objects.filter(pk=self._run_id).exists)():
            raise Refused(404, "no such run")

    async def texts(self) -> AsyncGenerator[Sequence[bytes], None]:
        async with aclosing(frames.follow(self._run_id, self._after)) as batches:
            async for batch in batches:
                yield [frame.json for frame in batch]


class PortfolioConsumer(FramesConsumer):
    """`/ws/portfolio`: a `portfolio` frame whenever the overview changed, and the control frames of all runs.

    A `portfolio` frame has the overview under ``portfolio``; its ``seq`` counts the overviews of this connection. A
    control frame is the run's own, with the run's ``run_id`` and ``seq``.
    """

    async def texts(self) -> AsyncGenerator[Sequence[bytes], None]:
        seq, shown = 0, b""
        async with aclosing(frames.follow_control()) as batches:
            async for texts in batches:
                overview = await _overview()
                if overview == shown:
                    yield texts
                    continue
                seq, shown = seq + 1, overview
                yield [*texts, _portfolio_frame(seq, overview)]


def _portfolio_frame(seq: int, overview: bytes) -> bytes:
    head = {"task_id": "", "stage": "portfolio", "message": "", "timestamp": iso(time.time_ns()), "seq": seq}
    return msgspec.json.encode({**head, "portfolio": msgspec.Raw(overview)})


class _Board:
    """The overview as it was last read, for all sockets of an event loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._read_at = -math.inf
        self._text = b""

    async def text(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._read_at >= OVERVIEW_SECONDS:
                try:
                    self._text = await asyncio.to_thread(_read_overview)
                except DatabaseError as error:
                    # The control frames, a kill among them, go on all the same.
                    log.warning("the overview cannot be read, the last one stands: %s", error)
                self._read_at = time.monotonic()
            return self._text


def _read_overview() -> bytes:
    try:
        return msgspec.json.encode(queries.portfolio_overview(), enc_hook=str)
    finally:
        # The next reading may be in another thread of the pool.
        connections.close_all()


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, _Board] = WeakKeyDictionary()


async def _overview() -> bytes:
    return await _boards.setdefault(asyncio.get_running_loop(), _Board()).text()


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused(404, "a run's id is a UUID") from error


class NowhereConsumer(AsyncWebsocketConsumer):
    """Any other path."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(CLOSE_CODES + 404, "no such socket")
