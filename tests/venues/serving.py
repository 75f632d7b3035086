"""What the HTTP stubs share: a server on loopback in a thread of its own, faults, and a way in for the test."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import WSMsgType, web

from tests.venues import market
from tests.venues.book import Book
from tests.venues.faults import OF_REQUESTS, Fault, Faults
from tests.venues.journal import Journal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

CONTROL = "/_control"


class Stream:
    """One client's socket: what is sent goes out in order, spoiled as planned."""

    def __init__(self, socket: web.WebSocketResponse, faults: Faults) -> None:
        self.socket = socket
        self.ready = False
        self._faults = faults
        self._outbox: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._held: bytes | str | None = None

    def send(self, message: bytes | str) -> None:
        """Send an event; control messages go by `answer`, which no fault touches."""
        plan = self._faults.take(Fault.LOSE_EVENT, Fault.DUPLICATE_EVENT, Fault.REORDER_EVENTS, Fault.DROP_STREAM)
        if plan is None:
            self._put(message)
        elif plan.fault is Fault.DUPLICATE_EVENT:
            self._put(message, message)
        elif plan.fault is Fault.REORDER_EVENTS:
            self._held = message
        elif plan.fault is Fault.DROP_STREAM:
            self._outbox.put_nowait(None)

    def _put(self, *messages: bytes | str) -> None:
        for message in messages:
            self._outbox.put_nowait(message)
        if self._held is not None:
            held, self._held = self._held, None
            self._outbox.put_nowait(held)

    def answer(self, message: bytes | str) -> None:
        self._outbox.put_nowait(message)

    async def pump(self) -> None:
        """Send until the stream is dropped."""
        while (message := await self._outbox.get()) is not None:
            if isinstance(message, str):
                await self.socket.send_str(message)
            else:
                await self.socket.send_bytes(message)
        await self.socket.close()


class Stub:
    """An HTTP venue. A subclass adds its routes to ``app`` and follows ``book``."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = book or Book()
        self.faults = Faults()
        self.streams: set[Stream] = set()
        self.port = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.app = web.Application(middlewares=[self._spoil])
        self.app.router.add_post(f"{CONTROL}/{{verb}}", self._control)
        self.app.router.add_get(f"{CONTROL}/journal", self._journal)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call something of the stub in its own thread, from a test's, and wait for it."""
        assert self.loop is not None

        async def work() -> T:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)

    def trade(self, symbol: str, price: str | Decimal, size: str | Decimal | None = None) -> None:
        """Let the market trade, from a test's thread."""
        self.call(self.book.trade, symbol, Decimal(price), None if size is None else Decimal(size))

    def show(self, bar: market.Bar) -> None:
        """Let a minute of the market pass; a subclass tells who has asked for its bars."""
        for price in bar.prices:
            self.book.trade(bar.symbol, Decimal(str(price)))

    def drop_streams(self) -> None:
        for stream in list(self.streams):
            stream._outbox.put_nowait(None)

    # Inside.

    @web.middleware
    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        plan = self.faults.take(*OF_REQUESTS, where=f"{request.method} {request.path}")
        if plan is None:
            return await handler(request)
        if plan.fault is Fault.REFUSE_THROTTLE:
            return web.json_response({"message": "too many requests."}, status=429)
        if plan.fault is Fault.REFUSE_ERROR:
            return web.Response(text="<html>bad gateway</html>", status=502)
        answer = await handler(request)
        if plan.fault is Fault.ERROR:
            return web.Response(text="<html>internal server error</html>", status=500)
        if plan.fault is Fault.GARBAGE:
            return web.Response(text='{"id": ', content_type="application/json")
        if plan.fault is Fault.BEND:
            return web.json_response(plan.change(json.loads(_body_of(answer))))
        await asyncio.sleep(plan.seconds)
        if plan.fault is Fault.SWALLOW and request.transport is not None:
            request.transport.abort()
        return answer

    async def _control(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        verb = request.match_info["verb"]
        if verb == "trade":
            size = body.get("size")
            self.book.trade(body["symbol"], Decimal(str(body["price"])), None if size is None else Decimal(str(size)))
        elif verb == "fault":
            self.faults.plan(**body)
        elif verb == "clear-faults":
            self.faults.clear()
        elif verb == "drop-streams":
            self.drop_streams()
        elif verb == "end-day":
            self.book.end_day()
        else:
            return web.json_response(
                {"message": f"{verb} is none of trade, fault, clear-faults, drop-streams, end-day"}, status=404
            )
        return web.json_response({"ok": True})

    async def _journal(self, request: web.Request) -> web.Response:
        return web.json_response(self.book.journal.entries, dumps=lambda value: json.dumps(value, default=str))

    async def follow(self, request: web.Request, hear: Callable[[Stream, Any], None]) -> web.WebSocketResponse:
        """Serve one socket: ``hear`` takes each of the client's messages."""
        socket = web.WebSocketResponse(timeout=0.2, compress=False)
        await socket.prepare(request)
        stream = Stream(socket, self.faults)
        self.streams.add(stream)
        pump = asyncio.create_task(stream.pump())
        try:
            hear(stream, None)
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    hear(stream, message.data)
        finally:
            self.streams.discard(stream)
            pump.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await pump
        return socket


def _body_of(answer: web.StreamResponse) -> bytes:
    assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
    return answer.body


@contextmanager
def serving(stub: Stub, port: int = 0) -> Iterator[Stub]:
    """Run a stub in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stub venue", daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(stub.app, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        stub.loop = loop
        stub.port = runner.addresses[0][1]
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def serve_by_hand(make: Callable[[Book], Stub], description: str) -> None:
    """``python -m tests.venues.NAME --port 9001 --journal FILE --price SPY=450 --every 1``, until Ctrl-C."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, help="a file for the journal, JSON lines")
    parser.add_argument("--cash", type=Decimal, default=Decimal(100_000))
    market.add_options(parser)
    parser.add_argument("--forgetful", action="store_true", help="take the same client order id again and again")
    options = parser.parse_args()
    book = Book(Journal(options.journal), cash=options.cash, unique_client_ids=not options.forgetful)
    for symbol, price in market.first_prices(options).items():
        book.trade(symbol, Decimal(str(price)))
    with serving(make(book), options.port) as stub:
        print(f"listening at {stub.url}; POST {stub.url}{CONTROL}/trade {{symbol, price}} lets the market trade")
        market.serve(options, lambda bar: stub.call(stub.show, bar), book.last)
