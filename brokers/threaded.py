"""The bridge for venues whose client blocks: the asynchronous form runs the same calls in threads of its own."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from decimal import Decimal
from typing import TypeVar

from brokers.base import (
    STARTING_CASH,
    Recalled,
    VenueAccount,
    VenueClock,
    VenueFill,
    VenuePosition,
)
from brokers.bridged import BridgedBrokerage
from brokers.observing import came_up, observed
from brokers.sightings import VenueOrder
from trading.engine.errors import Withheld
from trading.engine.orders import OrderRecord
from trading.engine.updates import VenueUpdate

log = logging.getLogger(__name__)

T = TypeVar("T")
_THREADS = 4


class ThreadedBrokerage(BridgedBrokerage):
    """An adapter writes the blocking form and calls `tell` from whatever thread it hears the venue in, and `came_up`
    whenever it begins to hear it.

    Cancels have threads of their own, so that none ever waits behind a call that the venue does not answer.
    ``starting_cash`` is the part of the account that the run may use.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        observed(cls)

    def __init__(self, starting_cash: Decimal | float = STARTING_CASH) -> None:
        super().__init__(starting_cash)
        self._calls = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{self.venue} calls")
        self._cancels = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{self.venue} cancels")

    @abstractmethod
    def recall(self, orders: Sequence[Recalled]) -> None: ...

    def came_up(self) -> None:
        """To be called whenever the stream of updates has come up, once what was missed has been told."""
        self.connections += 1
        came_up(self.venue)

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
        await self._run(self.cancel_order, order, threads=self._cancels)

    async def withdraw_async(self, shown: VenueOrder) -> None:
        await self._run(self.withdraw, shown, threads=self._cancels)

    async def cancel_all_async(self) -> int:
        return await self._run(self.cancel_all, threads=self._cancels)

    async def query_order_async(self, order: OrderRecord) -> VenueOrder | None:
        return await self._run(self.query_order, order)

    async def query_orders_async(self, since: int | None = None) -> list[VenueOrder]:
        return await self._run(self.query_orders, since)

    async def query_open_orders_async(self) -> list[VenueOrder]:
        return await self._run(self.query_open_orders)

    async def query_fills_async(self, since: int) -> list[VenueFill]:
        return await self._run(self.query_fills, since)

    async def query_positions_async(self) -> list[VenuePosition]:
        return await self._run(self.query_positions)

    async def query_account_async(self) -> VenueAccount:
        return await self._run(self.query_account)

    async def query_clock_async(self) -> VenueClock | None:
        return await self._run(self.query_clock)

    async def _run(self, call: Callable[..., T], *args: object, threads: ThreadPoolExecutor | None = None) -> T:
        """Run a call in a thread, in the context of who awaits it: its span is a part of theirs."""
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(threads or self._calls, context.run, call, *args)
