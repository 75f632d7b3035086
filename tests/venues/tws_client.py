"""One client's connection to the TWS stub: frames of a big-endian length and NUL-terminated fields."""

from __future__ import annotations

import asyncio
import struct
from datetime import datetime, tzinfo
from typing import Any, Protocol

from tests.venues.faults import Fault, Faults
from tests.venues.tws_messages import VERSION

EVENT_FAULTS = (Fault.LOSE_EVENT, Fault.DUPLICATE_EVENT, Fault.REORDER_EVENTS, Fault.DROP_STREAM)


class Gateway(Protocol):
    """Who answers."""

    clients: set[Any]
    faults: Faults
    zone: tzinfo

    def hear(self, client: Client, fields: list[str]) -> None: ...


class Client:
    """One connection, which is told of its orders so many seconds ``late``."""

    def __init__(self, stub: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stub = stub
        self.id = -1
        self.bars: dict[str, str] = {}
        self.ticks: dict[str, str] = {}
        self.late = 0.0
        self._reader = reader
        self._writer = writer
        self._held: list[tuple[Any, ...]] = []

    def send(self, *fields: Any) -> None:
        text = "".join(f"{field}\0" for field in fields).encode()
        self._writer.write(struct.pack(">I", len(text)) + text)

    def tell(self, *messages_: tuple[Any, ...]) -> None:
        """Send what belongs to one event of an order, spoiled as planned."""
        if self.late:
            asyncio.get_running_loop().call_later(self.late, self.tell, *messages_)
            return
        plan = self.stub.faults.take(*EVENT_FAULTS)
        if plan is not None and plan.fault is Fault.LOSE_EVENT:
            return
        if plan is not None and plan.fault is Fault.DROP_STREAM:
            self.drop()
            return
        if plan is not None and plan.fault is Fault.REORDER_EVENTS:
            self._held = list(messages_)
            return
        twice = 2 if plan is not None else 1
        for fields in [*messages_ * twice, *self._held]:
            self.send(*fields)
        self._held = []

    def drop(self) -> None:
        self._writer.transport.abort()

    async def serve(self) -> None:
        try:
            await self._reader.readexactly(4)
            await self._frame()
            self.send(VERSION, f"{datetime.now(self.stub.zone):%Y%m%d %H:%M:%S %Z}")
            while True:
                fields = (await self._frame()).decode().split("\0")[:-1]
                self.stub.hear(self, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.stub.clients.discard(self)
            self._writer.close()

    async def _frame(self) -> bytes:
        [length] = struct.unpack(">I", await self._reader.readexactly(4))
        return await self._reader.readexactly(length)
