"""A wire that can be slow, silent, cut, or deaf to answers: an asyncio TCP proxy in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Target = str | int


class Proxy:
    """Passes TCP on loopback on to ``target``, a port or the path of a unix socket.

    The verbs may be called from any thread; each stands until `restore`.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._deaf = False
        self._delay = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def delay(self, seconds: float) -> None:
        """Pass everything on this much later."""
        self._delay = seconds

    def blackhole(self) -> None:
        """Keep all connections and pass nothing on, until it all comes at once."""
        self._call(self._flowing.clear)

    def swallow(self) -> None:
        """Pass on what is asked, and drop what is answered; who waited for an answer is cut off at the end."""
        self._deaf = True

    def reset(self) -> None:
        """Cut every connection off, now."""
        self._call(self._cut)

    def refuse(self) -> None:
        """Cut every connection off, and all that come."""
        self._refusing = True
        self.reset()

    def restore(self) -> None:
        self._refusing = False
        self._delay = 0.0
        if self._deaf:
            self._deaf = False
            self.reset()
        self._call(self._flowing.set)

    def close(self) -> None:
        self.refuse()
        self._call(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, function: Callable[[], T]) -> T:
        async def work() -> T:
            return function()

        return self._run(work())

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass(reader, back, False), self._pass(there, writer, True))
        finally:
            for end in ends:
                end.transport.abort()
            self._writers -= ends

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flowing.wait()
                if not (answers and self._deaf):
                    sink.write(data)
                    await sink.drain()
        with suppress(OSError):
            sink.close()
