"""The bridge for venues whose client awaits: the blocking form runs the same calls in an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from brokers.base import (
    STARTING_CASH,
    VenueAccount,
    VenueClock,
    VenueFill,
    VenuePosition,
)
from brokers.bridged import BridgedBrokerage
from brokers.sightings import VenueOrder
from trading.engine.errors import Transient, Unknown, VenueError
from trading.engine.orders import OrderRecord

T = TypeVar("T")
CALL_SECONDS: Final = 15.0


class LoopedBrokerage(BridgedBrokerage):
    """An adapter writes the awaitable form, and puts what it hears on ``_order_event_queue``.

    One instance is driven in one form: awaited in its driver's loop, or blocking, in a loop that `connect` or `reach`
    begins and `close` ends. ``starting_cash`` is the part of the account that the run may use.
    """

    def __init__(self, starting_cash: Decimal | float = STARTING_CASH) -> None:
        super().__init__(starting_cash)
        self._thread: threading.Thread | None = None
        self._listener: asyncio.Task[None] | None = None

    async def reach_async(self) -> None:
        """As much of `connect_async` as questions and cancels from outside need."""

    def connect(self) -> None:
        self._begin()
        self._await(self.connect_async(), Transient)
        self._await(self._listen(), Transient)

    def reach(self) -> None:
        self._begin()
        self._await(self.reach_async(), Transient)

    def close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        try:
            self._await(self._end(), Transient)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_SECONDS)
            self._loop.close()
            self._loop = None

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        self._await(self.submit_order_async(order, linked), Unknown)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        self._await(self.replace_order_async(order, by), Unknown)

    def cancel_order(self, order: OrderRecord) -> None:
        self._await(self.cancel_order_async(order), Transient)

    def withdraw(self, shown: VenueOrder) -> None:
        self._await(self.withdraw_async(shown), Transient)

    def cancel_all(self) -> int:
        return self._await(self.cancel_all_async(), Transient)

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        return self._await(self.query_order_async(order), Transient)

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        return self._await(self.query_orders_async(since), Transient)

    def query_open_orders(self) -> list[VenueOrder]:
        return self._await(self.query_open_orders_async(), Transient)

    def query_fills(self, since: int) -> list[VenueFill]:
        return self._await(self.query_fills_async(since), Transient)

    def query_positions(self) -> list[VenuePosition]:
        return self._await(self.query_positions_async(), Transient)

    def query_account(self) -> VenueAccount:
        return self._await(self.query_account_async(), Transient)

    def query_clock(self) -> VenueClock | None:
        return self._await(self.query_clock_async(), Transient)

    # The loop.

    def _begin(self) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name=f"{self.venue} loop", daemon=True)
            self._thread.start()

    async def _listen(self) -> None:
        self._listener = asyncio.create_task(self._pass_on())

    async def _pass_on(self) -> None:
        while True:
            self._hear(await self._order_event_queue.get())

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        await self.close_async()

    def _await(self, call: Coroutine[Any, Any, T], late: type[VenueError]) -> T:
        """Run a call in the loop; raises ``late`` when it takes longer than `CALL_SECONDS`."""
        if self._loop is None:
            call.close()
            raise Transient(f"{self.venue} is not connected")
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result(CALL_SECONDS)
        except TimeoutError:
            future.cancel()
            raise late(f"{self.venue} did not answer within {CALL_SECONDS:g} s") from None
