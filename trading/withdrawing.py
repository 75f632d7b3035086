"""Cancels of a session: they wait for nothing, and are asked for again until nothing is open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from brokers.base import IAsyncBrokerage
from trading.engine.effects import Cancel
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord
from trading.journal import Journal
from trading.standing import Standing

log = logging.getLogger(__name__)

#: How long an order is asked to be cancelled again, how long one asking may take, and the pause between two.
CANCEL_TIMEOUT: Final = 10.0
CANCEL_CALL_TIMEOUT: Final = 3.0
CANCEL_RETRY: Final = 0.5


class Withdrawals:
    """They leave beside whatever else is under way, be it a commit that waits for the database or an order that waits
    for the venue. ``drain`` takes all that the venue has said so far."""

    def __init__(
        self,
        engine: Engine,
        brokerage: IAsyncBrokerage,
        journal: Journal,
        standing: Standing,
        *,
        drain: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._brokerage = brokerage
        self._journal = journal
        self._standing = standing
        self._drain = drain
        self._heard = asyncio.Event()
        self._canceller: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self._canceller is not None:
            self._canceller.cancel()

    def heard(self) -> None:
        """The venue has said something."""
        self._heard.set()

    async def hear(self, seconds: float) -> None:
        """Wait until the venue has said something, but no longer than this."""
        self._heard.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)

    def cancel_open(self, reason: str) -> asyncio.Task[None]:
        """Begin to cancel all that is open, unless that is under way; the task ends when it is, or in doubt."""
        if self._canceller is None or self._canceller.done():
            effects = self._engine.cancel_open(reason)
            self._canceller = asyncio.create_task(self._cancel_until_done(effects, reason))
        return self._canceller

    async def _cancel_until_done(self, effects: Sequence[Cancel], reason: str) -> None:
        """Ask again until nothing is open; what is pending is committed as the cancels leave."""
        give_up = time.monotonic() + CANCEL_TIMEOUT
        while True:
            await self.cancel_all(effects)
            again = time.monotonic() + CANCEL_RETRY
            while self._engine.open_orders() and (left := again - time.monotonic()) > 0:
                await self.hear(left)
            if not self._engine.open_orders() or time.monotonic() > give_up:
                return
            effects = self._engine.cancel_open(reason)

    async def cancel_all(self, cancels: Sequence[Cancel]) -> None:
        """Ask the venue once for all of them; what is pending is committed as they leave, in one append with what a
        venue that answers at once has said."""
        asking = asyncio.create_task(self.ask([cancel.order for cancel in cancels]))
        await asyncio.sleep(0)
        self._drain()
        self._journal.post()
        await asking
        self._drain()
        self._journal.post()

    async def ask(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
        """Ask the venue once for all; for each, why it did not take it."""
        if not orders:
            return []
        errors: Sequence[BaseException | None]
        try:
            async with asyncio.timeout(CANCEL_CALL_TIMEOUT):
                errors = await self._brokerage.cancel_orders_async(orders)
        except Exception as error:
            # Whatever it is, they may be asked for again.
            errors = [error] * len(orders)
        for order, found in zip(orders, errors, strict=True):
            if found is not None:
                log.warning("cancel of order %s was not taken: %s", order.id, str(found) or type(found).__name__)
                self._standing.heard(found)
        return errors
