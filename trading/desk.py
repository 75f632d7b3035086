"""What passes between a session's engine and its venue: orders and cancels out, updates in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace

from brokers.base import IAsyncBrokerage
from risk.conditions import Conditions, refusal, unheld
from risk.gate import OrderGate, Verdict
from risk.halts import Place
from trading import failpoints
from trading.engine.effects import Cancel, Effect, Replace, Submit
from trading.engine.engine import Engine
from trading.engine.errors import Fatal, InvalidValue, Rejected, Transient, VenueError
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.risk import Denial
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate
from trading.engine.verbs import is_exit
from trading.feeds.signs import FeedSigns
from trading.journal import Journal
from trading.lease import Lease
from trading.reconciling.compare import own
from trading.reconciling.noting import note
from trading.reconciling.session import Reconciliation
from trading.standing import Standing
from trading.withdrawing import Withdrawals

log = logging.getLogger(__name__)
tracer = trace.get_tracer("alphaswarm.trading")

#: A venue that has not answered by then leaves it unknown whether it has the order.
SUBMIT_TIMEOUT = 15.0
RECONNECT_SECONDS = 1.0

#: Errors after which a call may have taken effect or not.
UNCERTAIN = (VenueError, TimeoutError, OSError)


class OrderDesk:
    """Sends what the engine decided and tells it what the venue says.

    ``place`` is where the run belongs, for scoped halts. Through a gate that is closed by a kill which flattens, the
    exits leave that the engine was told to flatten by, and nothing else.

    Cancels never wait for anything, see `Withdrawals`. ``on_trouble`` is told of an error that nobody awaits, ``wake``
    is set when the engine has halted, or goes on to leave its positions.
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
        self.withdrawals = Withdrawals(engine, brokerage, journal, self.standing, drain=self.drain)
        self._reconciliation: Reconciliation | None = None
        if brokerage.shared:
            self._reconciliation = Reconciliation(
                lease.run_id, engine, brokerage, tell=self._take, send=self.place, post=self._post
            )
            self.standing.also = self._reconciliation.trouble
        self._connected = False
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, patience: float, is_over: Callable[[], bool]) -> None:
        """Connect, and trade only once ledger and venue have been compared. A venue that cannot be reached is tried for
        ``patience`` seconds, unless the session is over meanwhile."""
        together = self._reconciliation
        if together is not None:
            await together.recall()
        await self._connect(time.monotonic() + patience, is_over)
        self._connected = True
        await self.standing.look()
        self.drain()
        await self._journal.commit()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self.standing.watch())]
        if together is not None:
            await together.begin()
            self._tasks.append(asyncio.create_task(together.watch()))

    async def _connect(self, give_up: float, is_over: Callable[[], bool]) -> None:
        while True:
            try:
                await self._brokerage.connect_async()
                return
            except Transient as error:
                if time.monotonic() > give_up or is_over():
                    raise
                log.warning("run %s waits for its venue: %s", self._lease.run_id, error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def take_up(self, pending: Sequence[Effect]) -> None:
        """Do what an owner of the run that was lost had decided and may not have done. A venue that goes on without the
        run is asked first what of it has arrived, while the session trades on."""
        if self._reconciliation is None:
            await self.place(pending)
        elif pending:
            self._reconciliation.take_up(pending, self._on_trouble)

    def presume_sent(self) -> None:
        """To be called before orders are cancelled: those that an owner which was lost may have sent have left."""
        if self._reconciliation is not None:
            self._reconciliation.presume_sent()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.withdrawals.close()
        if self._reconciliation is not None:
            self._reconciliation.close()
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
        [error] = await self.withdrawals.ask([order])
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
            self._post()

    def _post(self) -> None:
        try:
            self._journal.post()
        except Exception as error:
            self._on_trouble(error)

    def _take(self, update: VenueUpdate) -> None:
        if self._reconciliation is not None and self._reconciliation.takes(update):
            return
        try:
            self._engine.on_update(update)
        except Exception as error:
            # What follows in the queue may be a fill: it is heard, and the session ends by this.
            log.exception("an update for run %s could not be taken", self._lease.run_id)
            if isinstance(error, InvalidValue):
                note(self._lease.run_id, str(error))
            self._on_trouble(error)
        if self._engine.halted or self._engine.leaving:
            self._wake.set()
        self.withdrawals.heard()

    def cancel_open(self, reason: str) -> asyncio.Task[None]:
        """Begin to cancel all that is open, unless that is under way; the task ends when it is, or in doubt."""
        return self.withdrawals.cancel_open(reason)

    def expect_no_bars(self) -> None:
        """Tell the venue that no bar will come any more."""
        self._brokerage.expect_no_bars()

    async def differences(self) -> list[str]:
        """What the venue says is held and owned, where it is not what the ledger says.

        Of a shared account that is what concerns the run's symbols; its money is everybody's.
        """
        if not self._connected:
            return []
        portfolio = self._engine.portfolio
        if self._reconciliation is not None:
            return await self._reconciliation.differences(portfolio.positions)
        try:
            positions = await self._brokerage.query_positions_async()
            return own(positions, await self._brokerage.query_account_async(), portfolio)
        except Exception as error:
            return [f"the venue's books could not be read: {_words(error)}"]


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
