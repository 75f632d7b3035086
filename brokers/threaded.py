"""The bridge for venues whose client blocks: the asynchronous form runs the same calls in threads of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar

from brokers.base import STARTING_CASH, IAsyncBrokerage, IBrokerage, VenueAccount, VenuePosition, read_cash
from brokers.enduring import Enduring
from trading.engine.errors import Withheld
from trading.engine.orders import OrderRecord
from trading.engine.updates import VenueUpdate

log = logging.getLogger(__name__)

T = TypeVar("T")
_THREADS = 4


class ThreadedBrokerage(IBrokerage, IAsyncBrokerage, Enduring):
    """An adapter writes the blocking form and calls `tell` from whatever thread it hears the venue in.

    Cancels have threads of their own, so that none ever waits behind a call that the venue does not answer.
    ``starting_cash`` is the part of the account that the run may use.
    """

    shared = True

    def __init__(self, starting_cash: Decimal | float = STARTING_CASH) -> None:
        self.starting_cash = read_cash(starting_cash)
        self._order_event_queue: asyncio.Queue[VenueUpdate] = asyncio.Queue()
        self._updates: deque[VenueUpdate] = deque()
        self._hear: Callable[[VenueUpdate], None] = self._updates.append
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{self.venue} calls")
        self._cancels = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{self.venue} cancels")

    def let_go(self, *orders: OrderRecord) -> None:
        """To be called right before orders are sent in one call, after all waiting; raises `Withheld` where one of them
        may not leave any more."""
        if not all(map(self.may_leave, orders)):
            raise Withheld("withheld at the last moment: it has waited, and may not leave any more")

    def tell(self, updates: Sequence[VenueUpdate]) -> None:
        """Pass on what the venue said; safe from any thread."""
        if self._loop is None:
            for update in updates:
                self._hear(update)
            return
        for update in updates:
            try:
                self._loop.call_soon_threadsafe(self._order_event_queue.put_nowait, update)
            except RuntimeError:
                log.warning("%s told of order %s after its session had ended", self.venue, update)

    def listen(self, hear: Callable[[VenueUpdate], None]) -> None:
        self._hear = hear

    def drain_updates(self) -> list[VenueUpdate]:
        taken = []
        while self._updates:
            taken.append(self._updates.popleft())
        return taken

    async def connect_async(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._run(self.connect)

    async def close_async(self) -> None:
        await self._run(self.close)
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._cancels.shutdown(wait=False, cancel_futures=True)

    async def submit_order_async(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        await self._run(self.submit_order, order, linked)

    async def replace_order_async(self, order: OrderRecord, by: OrderRecord) -> None:
        await self._run(self.replace_order, order, by)

    async def cancel_order_async(self, order: OrderRecord) -> None:
        await asyncio.get_running_loop().run_in_executor(self._cancels, self.cancel_order, order)

    async def cancel_all_async(self) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._cancels, self.cancel_all)

    async def query_positions_async(self) -> list[VenuePosition]:
        return await self._run(self.query_positions)

    async def query_account_async(self) -> VenueAccount:
        return await self._run(self.query_account)

    async def query_market_open_async(self) -> bool | None:
        return await self._run(self.query_market_open)

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._calls, function, *args)
