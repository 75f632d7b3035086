"""A session's part in reconciling: what it asks its venue for, when, and what it makes of orders that are none of its
own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from brokers.base import IAsyncBrokerage
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord
from trading.engine.updates import CashUpdate, ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate
from trading.reconciling.looking import AGAIN_SECONDS, FAILURES, Looks, threads
from trading.reconciling.resolving import ASK_SECONDS, Doubts, persistently, recalled
from trading.tickers import ticker_of

log = logging.getLogger(__name__)

#: At its end a session looks again, so often and after so long, for what may be news on its way; nobody may look after
#: it, so the last look is late enough to put what stays before a person.
_LAST_LOOKS: Final = 4
_LAST_PAUSE: Final = AGAIN_SECONDS / (_LAST_LOOKS - 1)


class Reconciliation:
    """Of one session at a venue that goes on without it: before its first order, and for as long as it lasts.

    ``tell`` takes an update, ``send`` carries out effects through the order gate, ``post`` has what was told written.
    """

    def __init__(
        self,
        run_id: UUID,
        engine: Engine,
        brokerage: IAsyncBrokerage,
        *,
        tell: Callable[[VenueUpdate], None],
        send: Callable[[Sequence[Effect]], Awaitable[None]],
        post: Callable[[], None],
    ) -> None:
        self._run_id = run_id
        self._engine = engine
        self._brokerage = brokerage
        self._post = post
        self._looks = Looks(brokerage)
        self._doubts = Doubts(run_id, engine, brokerage, threads, tell=tell, send=send)
        self._others: set[str] = set()
        self._pursuit: asyncio.Task[None] | None = None

    def trouble(self) -> str:
        """Why the account could not be compared last; empty while it can."""
        return self._looks.trouble

    async def recall(self) -> None:
        """To be called before the venue is connected: tell it which orders the run has there from before."""
        orders = [*self._engine.open_orders(), *self._places_taken()]
        known = partial(recalled, self._run_id, orders)
        self._brokerage.recall(await persistently(threads, f"what run {self._run_id} has at its venue", known))

    def _places_taken(self) -> Iterable[OrderRecord]:
        """Orders that are known to be replaced, by others of which the venue was not heard."""
        still_open = {order.id for order in self._engine.open_orders()}
        taken = {order.replaces for order in self._engine.open_orders() if order.venue_order_id is None}
        return [order for one in taken - still_open if (order := self._engine.orders.get(one)) is not None]

    async def begin(self) -> None:
        """To be called once what the venue told while it was connected is written: compare before the first order.
        Raises what the venue raises where it tells nothing."""
        self._doubts.doubt()
        self._post()
        await self._looks.begin()

    def take_up(self, pending: Sequence[Effect], on_trouble: Callable[[Exception], None]) -> None:
        """Let leave what an owner that was lost had decided on, where the venue shows that it has not left. What goes
        wrong then is told."""
        self._pursuit = asyncio.create_task(self._pursue(pending, on_trouble))

    def presume_sent(self) -> None:
        """To be called before orders are cancelled: what may have left in other hands is asked back at the venue."""
        self._doubts.presume_sent()

    async def _pursue(self, pending: Sequence[Effect], on_trouble: Callable[[Exception], None]) -> None:
        try:
            await self._doubts.pursue(pending)
            self._post()
        except Exception as error:
            on_trouble(error)

    def close(self) -> None:
        if self._pursuit is not None:
            self._pursuit.cancel()

    async def watch(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._doubts.look()
                self._post()
                await self._looks.look_if_due()
            except Exception:
                log.exception("run %s could not be reconciled", self._run_id)
            await asyncio.sleep(ASK_SECONDS)

    def takes(self, update: VenueUpdate) -> bool:
        """Whether an update is about an order of others: the next look has it."""
        if isinstance(update, CashUpdate):
            return False
        if isinstance(update, ExternalOrder):
            self._others.add(update.client_order_id)
        elif update.client_order_id not in self._others:
            return False
        if not isinstance(update, OrderUpdate) or update.kind is UpdateKind.FILL:
            self._looks.soon()
        return True

    async def differences(self, symbols: Iterable[str]) -> list[str]:
        """Sentences about what does not agree in these symbols, or of the run's orders, and stays so."""
        tickers = {ticker_of(symbol) for symbol in symbols}
        try:
            for left in reversed(range(_LAST_LOOKS)):
                found = [one for one in (await self._looks.look()).found if ticker_of(one.symbol) in tickers]
                if not found or not left:
                    return [one.sentence for one in found]
                await asyncio.sleep(_LAST_PAUSE)
        except FAILURES as error:
            return [f"the venue's books could not be read: {str(error) or type(error).__name__}"]
        return []
