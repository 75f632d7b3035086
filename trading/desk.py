"""What passes between a session's engine and its venue: orders and cancels out, updates in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from opentelemetry import trace

from brokers.base import IAsyncBrokerage, VenuePosition
from risk.conditions import Conditions, refusal, unheld
from risk.gate import OrderGate, Verdict
from risk.halts import Place
from trading import failpoints
from trading.engine.effects import Cancel, Effect, Replace, Submit
from trading.engine.engine import Engine
from trading.engine.errors import Fatal, Rejected, Transient, VenueError
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.risk import Denial
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate
from trading.engine.verbs import is_exit
from trading.feeds.signs import FeedSigns
from trading.journal import Journal
from trading.lease import Lease
from trading.sharing import SharedAccount
from trading.standing import Standing

log = logging.getLogger(__name__)
tracer = trace.get_tracer("alphaswarm.trading")

#: How long an order is asked to be cancelled again, how long one asking may take, and the pause between two.
CANCEL_TIMEOUT = 10.0
CANCEL_CALL_TIMEOUT = 3.0
CANCEL_RETRY = 0.5
#: A venue that has not answered by then leaves it unknown whether it has the order.
SUBMIT_TIMEOUT = 15.0

#: Errors after which a call may have taken effect or not.
UNCERTAIN = (VenueError, TimeoutError, OSError)


class OrderDesk:
    """Sends what the engine decided and tells it what the venue says.

    ``place`` is where the run belongs, for scoped halts. Through a gate that is closed by a kill which flattens, the
    exits leave that the engine was told to flatten by, and nothing else.

    Cancels never wait for anything: they leave beside whatever else is under way, be it a commit that waits for the
    database or an order that waits for the venue. ``on_trouble`` is told of an error that nobody awaits, ``wake`` is
    set when the engine has halted, or goes on to leave its positions.
    """

    def __init__(
        self,
        engine: Engine,
        brokerage: IAsyncBrokerage,
        gate: OrderGate,
        lease: Lease,
        journal: Journal,
        *,
        place: Place,
        attributes: dict[str, Any],
        now: Callable[[], int],
        wake: asyncio.Event,
        on_trouble: Callable[[Exception], None],
        signs: FeedSigns | None = None,
    ) -> None:
        self._engine = engine
        self._brokerage = brokerage
        self._gate = gate
        self._lease = lease
        self._journal = journal
        self._place = place
        self._attributes = attributes
        self._now = now
        self._wake = wake
        self._on_trouble = on_trouble
        brokerage.may_leave = self._may_leave
        self.conditions = Conditions()
        self.standing = Standing(str(lease.run_id), engine, brokerage, self.conditions, signs)
        self._shared = SharedAccount() if brokerage.shared else None
        self._connected = False
        self._heard = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._canceller: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._brokerage.connect_async()
        self._connected = True
        if self._shared is not None:
            self._shared.begin(await self._positions())
        self._listener = asyncio.create_task(self._listen())
        self._watcher = asyncio.create_task(self.standing.watch())

    async def close(self) -> None:
        for task in (self._listener, self._canceller, self._watcher):
            if task is not None:
                task.cancel()
        try:
            await self._brokerage.close_async()
        except Exception:
            # The run is over and written; a venue that cannot say goodbye must not undo that.
            log.exception("the venue of run %s could not be closed", self._lease.run_id)

    async def place(self, effects: Sequence[Effect]) -> None:
        """Carry out the effects one after the other; orders leave through the gate, once their intents are committed.

        Cancels that come first leave at once.
        """
        committed = False
        for effect in effects:
            if isinstance(effect, Cancel):
                await self._withdraw(effect.order)
            else:
                if not committed:
                    await self._journal.commit()
                    committed = True
                await self._submit(effect)
            self.drain()

    async def _withdraw(self, order: OrderRecord) -> None:
        """A cancel that the strategy wants. One that the venue did not take leaves the order as it was."""
        self._journal.post()
        [error] = await self._cancel([order])
        if error is not None:
            self._tell(order, UpdateKind.CANCEL_REFUSED, f"the venue was not reached: {_words(error)}")

    async def _submit(self, effect: Submit | Replace) -> None:
        asked = (effect.by,) if isinstance(effect, Replace) else (effect.order, *effect.linked)
        with tracer.start_as_current_span("paper.session.submit_order", attributes=self._attributes):
            denial = await self.standing.grant(asked)
            verdict = await self._gate.wait_open()
            # What was cancelled while it waited for its commit, its grant or the gate stays behind.
            orders = [order for order in asked if order.status is OrderStatus.INTENDED]
            denial = denial or next(filter(None, (self._withhold(order, verdict) for order in orders)), None)
            if not orders:
                return
            if denial is not None:
                self._engine.on_withheld(orders[0], denial, *orders[1:])
                return
            self._engine.on_submitted(*orders)
            for order in orders:
                self.conditions.leaves(order, time.monotonic())
            failpoints.reach("intended")
            await self._send(effect, orders)
            failpoints.reach("sent")

    async def _send(self, effect: Submit | Replace, orders: Sequence[OrderRecord]) -> None:
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT):
                if isinstance(effect, Replace):
                    await self._brokerage.replace_order_async(effect.order, effect.by)
                else:
                    await self._brokerage.submit_order_async(orders[0], orders[1:])
            self.standing.answered()
        except (Rejected, Transient) as error:
            # Either way it did not take effect, and nothing is ever sent twice.
            self.standing.heard(error)
            self._tell_all(orders, UpdateKind.REJECTED, str(error))
        except Fatal:
            raise
        except UNCERTAIN as error:
            self.standing.heard(error)
            self._tell_all(orders, UpdateKind.UNKNOWN, _words(error))

    def _withhold(self, order: OrderRecord, verdict: Verdict) -> Denial | None:
        flattens = bool(self._engine.leaving) and is_exit(order) and self._gate.read().flatten
        if verdict is Verdict.ENGAGED and not flattens:
            return Denial(code="kill_engaged", message="the kill switch is engaged")
        if verdict is Verdict.STALE:
            return Denial(code="gate_stale", message="the order gate has no fresh reading of the kill switch")
        if not self._lease.valid:
            return Denial(code="lease_lost", message="this process no longer owns the run")
        if self._engine.halted and not flattens:
            return Denial(code=self._engine.halted, message="the run has halted")
        if not self._brokerage.updates_healthy:
            return Denial(code="updates_down", message="the venue's order updates are not flowing")
        if order.reduce_only and not self._brokerage.holds_reduce_only:
            denial = unheld(order, self._engine.open.excess(order))
            if denial is not None:
                return denial
        return None if flattens else self._halted(order) or refusal(order, self.conditions)

    def _halted(self, order: OrderRecord) -> Denial | None:
        halts = self._gate.halts()
        if halts is None:
            return Denial(code="halts_unknown", message="what is halted cannot be read at the order gate")
        return halts.refusal(order, self._place)

    def _may_leave(self, order: OrderRecord) -> bool:
        """The adapter's last question before it sends, in a thread of its own: a call may have waited, for the venue's
        rate limit or for an answer, and been given up meanwhile."""
        return order.status is OrderStatus.SUBMITTED and self._withhold(order, self._gate.verdict()) is None

    def _tell(self, order: OrderRecord, kind: UpdateKind, reason: str) -> None:
        self._take(OrderUpdate(kind, order.client_order_id, self._now(), reason=reason))

    def _tell_all(self, orders: Sequence[OrderRecord], kind: UpdateKind, reason: str) -> None:
        for order in orders:
            self._tell(order, kind, reason)

    # What the venue says.

    def drain(self) -> None:
        """Take all that the venue has said so far."""
        queue = self._brokerage._order_event_queue
        while not queue.empty():
            self._take(queue.get_nowait())

    async def _listen(self) -> None:
        """Take what the venue says between two bars."""
        while True:
            self._take(await self._brokerage._order_event_queue.get())
            # What came together is written together.
            self.drain()
            try:
                self._journal.post()
            except Exception as error:
                self._on_trouble(error)

    def _take(self, update: VenueUpdate) -> None:
        if self._shared is not None and self._shared.takes(update):
            return
        try:
            self._engine.on_update(update)
        except Exception as error:
            # What follows in the queue may be a fill: it is heard, and the session ends by this.
            log.exception("an update for run %s could not be taken", self._lease.run_id)
            self._on_trouble(error)
        if self._engine.halted or self._engine.leaving:
            self._wake.set()
        self._heard.set()

    # Cancels.

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
        asking = asyncio.create_task(self._cancel([cancel.order for cancel in cancels]))
        await asyncio.sleep(0)
        self.drain()
        self._journal.post()
        await asking
        self.drain()
        self._journal.post()

    def expect_no_bars(self) -> None:
        """Tell the venue that no bar will come any more."""
        self._brokerage.expect_no_bars()

    async def hear(self, seconds: float) -> None:
        """Wait until the venue has said something, but no longer than this."""
        self._heard.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)

    async def _cancel(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
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
                log.warning("cancel of order %s was not taken: %s", order.id, _words(found))
                self.standing.heard(found)
        return errors

    # The venue's books.

    async def differences(self) -> list[str]:
        """What the venue says is held and owned, where it is not what the ledger says.

        The money of a shared account is not compared.
        """
        if not self._connected:
            return []
        portfolio = self._engine.portfolio
        try:
            positions = await self._positions()
            if self._shared is not None:
                return self._shared.differences(positions, portfolio.positions.values())
            account = await self._brokerage.query_account_async()
        except Exception as error:
            return [f"the venue's books could not be read: {_words(error)}"]
        held = {one.symbol: one.qty for one in positions}
        ours = {symbol: position.qty for symbol, position in portfolio.positions.items() if position.qty}
        found = [
            f"{symbol}: the venue holds {held.get(symbol, 0)}, the ledger {ours.get(symbol, 0)}"
            for symbol in sorted(held.keys() | ours.keys())
            if held.get(symbol, 0) != ours.get(symbol, 0)
        ]
        if account.cash != portfolio.cash:
            found.append(f"cash: the venue has {account.cash}, the ledger {portfolio.cash}")
        return found

    async def _positions(self) -> list[VenuePosition]:
        return await self._brokerage.query_positions_async()


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
