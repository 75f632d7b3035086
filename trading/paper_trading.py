"""The asynchronous driver: one paper or live session, from its first bar to its final row."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from opentelemetry import trace

from brokers.base import IAsyncBrokerage
from risk.gate import OrderGate, Verdict
from risk.watch import GateWatcher
from trading.backtest import Watch
from trading.engine.bars import Bar, to_nanos
from trading.engine.effects import Effect, Submit
from trading.engine.engine import Engine
from trading.engine.errors import Fatal, Rejected, TradingError, VenueError
from trading.engine.orders import OrderRecord
from trading.engine.records import Kind, Record, plain
from trading.engine.risk import Denial
from trading.engine.updates import OrderUpdate, UpdateKind
from trading.journal import Journal
from trading.lease import Lease
from trading.ledger import LeaseLost, LedgerWriter
from trading.show import Show
from trading.snapshots import account_of, bar_extras, state_of
from trading.summary import RunSummary

log = logging.getLogger(__name__)
tracer = trace.get_tracer("alphaswarm.trading")

CANCEL_TIMEOUT = 10.0
CANCEL_RETRY = 0.5


@dataclass(frozen=True)
class Ending:
    """How a session ends: its final status, the sentence for it, and what an open order is cancelled for."""

    status: str
    reason: str


FEED_ENDED = Ending("completed", "the feed ended")
STOPPED = Ending("stopped", "stopped by an operator")
KILLED = Ending("killed", "kill switch engaged")


class PaperTradingSession:
    """Feeds an engine from a live-paced feed and carries out its effects at a venue.

    Built by `trading.runner`. ``await run()`` once; ``stop()`` may be called from any thread. Whatever ends the session
    - the end of the feed, a bound, an operator, the kill switch, a limit, an error - it drains: open orders are
    cancelled, the final row is written, venue and feed are closed, ``done`` is emitted.
    """

    def __init__(
        self,
        *,
        run_id: UUID,
        lease: Lease,
        engine: Engine,
        bars: Callable[[asyncio.Event], AsyncIterator[Bar | None]],
        brokerage: IAsyncBrokerage,
        gate: OrderGate,
        watcher: GateWatcher,
        writer: LedgerWriter,
        show: Show,
        watch: Watch | None,
        measure: Callable[[], dict[str, Any]],
        event_time: bool,
        flush_every: int = 10,
        stop_on_kill: bool = True,
    ) -> None:
        self.run_id = run_id
        self.engine = engine
        self.brokerage = brokerage
        self._attributes = {"broker.venue": brokerage.venue, "run.id": str(run_id)}
        self._lease = lease
        self._bars = bars
        self._gate = gate
        self._watcher = watcher
        self._show = show
        self._watch = watch
        self._measure = measure
        self._event_time = event_time
        self._flush_every = flush_every
        self._stop_on_kill = stop_on_kill
        self._journal = Journal(lease, engine, writer, show, self._on_ledger_failure)
        self._ending: Ending | None = None
        self._failure: Exception | None = None
        self._kill_epoch = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._heard = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    # Verbs from outside; safe from any thread.

    def stop(self, ending: Ending = STOPPED) -> None:
        """Ask the session to drain and end; the first reason given is the one that counts."""
        self._call(self._end, ending)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        loop = self._loop
        if loop is None:
            function(*args)
            return
        try:
            loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.info("run %s had ended before it was told", self.run_id)

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
        self._wake.set()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def _on_ledger_failure(self, error: Exception) -> None:
        self._call(self._fail, error)

    def _on_gate_change(self, epoch: int, engaged: bool) -> None:
        if engaged:
            self._call(self._on_kill, epoch)

    def _on_kill(self, epoch: int) -> None:
        if epoch == self._kill_epoch:
            return
        self._kill_epoch = epoch
        self.engine.records.append(Record(Kind.KILL_ENGAGED, self._now(), data={"epoch": epoch}))
        if self._stop_on_kill:
            self._end(KILLED)
        self._wake.set()

    # The session.

    async def run(self) -> RunSummary:
        """Trade until something ends the session; returns what it came to. Raises only when the lease was lost."""
        self._loop = asyncio.get_running_loop()
        started = time.perf_counter()
        unsubscribe = self._watcher.subscribe(self._on_gate_change)
        with tracer.start_as_current_span("paper.session.run", attributes=self._attributes):
            try:
                try:
                    await self._trade()
                except LeaseLost:
                    raise
                except Exception as error:
                    log.exception("run %s failed", self.run_id)
                    self._ending = Ending("failed", f"{type(error).__name__}: {error}")
                return await self._finish(self._ending or FEED_ENDED, started)
            finally:
                unsubscribe()
                if self._listener is not None:
                    self._listener.cancel()
                await self.brokerage.close_async()

    async def _trade(self) -> None:
        await self.brokerage.connect_async()
        self._listener = asyncio.create_task(self._listen(), name=f"updates of {self.run_id}")
        self._lease.on_stop = self.stop
        self._lease.on_lost = lambda: self._on_ledger_failure(LeaseLost(self.run_id))
        self._journal.record(self._status("running", started_at=datetime.now(UTC).isoformat()))
        await self._journal.commit()
        reading = self._gate.read()
        if reading.verdict is Verdict.ENGAGED:
            self._on_kill(reading.epoch)
        handled_kill = self._kill_epoch
        async for bar in self._bars(self._wake):
            if self._wake.is_set():
                self._wake.clear()
                if self._failure is not None:
                    raise self._failure
                if self._ending is not None:
                    return
            if self._kill_epoch != handled_kill:
                handled_kill = self._kill_epoch
                await self._cancel_open("kill switch engaged")
                self.engine.refusing = ""
            if bar is not None:
                await self._on_bar(bar)
                if self.engine.halted:
                    self._ending = Ending("halted", self.engine.halted)
                    return
            self._drain()

    async def _on_bar(self, bar: Bar) -> None:
        with tracer.start_as_current_span("paper.session.bar", attributes=self._attributes):
            if self.brokerage.on_bar(bar):
                self._drain()
            self._show("bar.received", bar.symbol, bar.time, **bar_extras(bar))
            effects = self.engine.on_bar(bar)
            if effects:
                await self._carry_out(effects)
            self._mark(bar.time)
            self._journal.post()

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        await self._journal.commit()
        for effect in effects:
            if isinstance(effect, Submit):
                await self._submit(effect.order)
        self._drain()

    async def _submit(self, order: OrderRecord) -> None:
        with tracer.start_as_current_span("paper.session.submit_order", attributes=self._attributes):
            verdict = await self._gate.wait_open()
            denial = self._withhold(verdict)
            if denial is not None:
                self.engine.on_withheld(order, denial)
                return
            self.engine.on_submitted(order)
            with tracer.start_as_current_span("broker.submit_order", attributes=self._attributes):
                try:
                    await self.brokerage.submit_order_async(order)
                except Rejected as error:
                    self._tell(order, UpdateKind.REJECTED, str(error))
                except Fatal:
                    raise
                except (VenueError, TimeoutError, OSError) as error:
                    self._tell(order, UpdateKind.UNKNOWN, str(error))
        self._drain()

    def _withhold(self, verdict: Verdict) -> Denial | None:
        if verdict is Verdict.ENGAGED:
            return Denial(code="kill_engaged", message="the kill switch is engaged")
        if verdict is Verdict.STALE:
            return Denial(code="gate_stale", message="the order gate has no fresh reading of the kill switch")
        if not self._lease.valid:
            return Denial(code="lease_lost", message="this process no longer owns the run")
        if not self.brokerage.updates_healthy:
            return Denial(code="updates_down", message="the venue's order updates are not flowing")
        return None

    def _tell(self, order: OrderRecord, kind: UpdateKind, reason: str) -> None:
        self.engine.on_update(OrderUpdate(kind, order.client_order_id, self._now(), reason=reason))

    def _drain(self) -> None:
        queue = self.brokerage._order_event_queue
        while not queue.empty():
            self.engine.on_update(queue.get_nowait())

    async def _listen(self) -> None:
        """Take what the venue says between two bars."""
        while True:
            update = await self.brokerage._order_event_queue.get()
            try:
                self.engine.on_update(update)
            except TradingError as error:
                self._fail(error)
            self._journal.post()
            self._heard.set()

    def _mark(self, time: int) -> None:
        engine = self.engine
        cash, equity = engine.portfolio.cash, engine.portfolio.equity
        self._journal.mark(time, equity, cash)
        self._show("equity.update", plain(equity), time, **account_of(engine, equity))
        if self._watch is not None:
            self._watch(engine, engine.portfolio.approximate_equity)
        if engine.bars % self._flush_every == 0:
            self._journal.save_state(state_of(engine, equity))

    # The end.

    async def _cancel_open(self, reason: str) -> None:
        """Cancel all that is open, and ask again until it is; what is pending is committed as the cancels leave."""
        give_up = time.monotonic() + CANCEL_TIMEOUT
        while True:
            effects = self.engine.cancel_open(reason)
            self._journal.post()
            await asyncio.gather(*(self._cancel(effect.order) for effect in effects))
            self._drain()
            self._journal.post()
            again = time.monotonic() + CANCEL_RETRY
            while self.engine.open_orders() and (left := again - time.monotonic()) > 0:
                await self._hear(left)
            if not self.engine.open_orders() or time.monotonic() > give_up:
                return

    async def _hear(self, seconds: float) -> None:
        """Wait until the venue has said something, but no longer than this."""
        self._heard.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)

    async def _cancel(self, order: OrderRecord) -> None:
        with tracer.start_as_current_span("broker.cancel_order", attributes=self._attributes):
            try:
                await self.brokerage.cancel_order_async(order)
            except (VenueError, TimeoutError, OSError) as error:
                log.warning("cancel of order %s was not taken: %s", order.id, error)

    async def _finish(self, ending: Ending, started: float) -> RunSummary:
        engine = self.engine
        await self._cancel_open(ending.reason)
        doubts = [f"cancel of {order.id} not confirmed" for order in engine.open_orders()]
        doubts += await self._differences()
        if doubts:
            log.error("run %s ends in doubt: %s", self.run_id, doubts)
        self._show("equity.update", plain(engine.equity), self._now(), **account_of(engine, engine.equity))
        self._journal.save_state(state_of(engine, engine.equity))
        await self._journal.commit(final=True)
        summary = RunSummary.of(
            self.run_id,
            ending.status,
            engine,
            ledger_hash=self._journal.ledger_hash,
            seconds=time.perf_counter() - started,
            metrics=await asyncio.to_thread(self._measure),
            reason="; ".join([ending.reason, *doubts]),
        )
        self._journal.record(self._status(ending.status, summary.reason, **summary.columns()))
        await self._journal.commit()
        return summary

    async def _differences(self) -> list[str]:
        """What the venue says is held and owned, where it is not what the ledger says."""
        try:
            with tracer.start_as_current_span("broker.query_positions", attributes=self._attributes):
                held = {one.symbol: one.qty for one in await self.brokerage.query_positions_async()}
            with tracer.start_as_current_span("broker.query_account", attributes=self._attributes):
                account = await self.brokerage.query_account_async()
        except (VenueError, TimeoutError, OSError) as error:
            return [f"the venue's books could not be read: {error}"]
        portfolio = self.engine.portfolio
        ours = {symbol: position.qty for symbol, position in portfolio.positions.items() if position.qty}
        found = [
            f"{symbol}: the venue holds {held.get(symbol, 0)}, the ledger {ours.get(symbol, 0)}"
            for symbol in sorted(held.keys() | ours.keys())
            if held.get(symbol, 0) != ours.get(symbol, 0)
        ]
        if account.cash != portfolio.cash:
            found.append(f"cash: the venue has {account.cash}, the ledger {portfolio.cash}")
        return found

    # Small things.

    def _status(self, status: str, reason: str = "", **columns: Any) -> Record:
        return Record(Kind.RUN_STATUS, self._now(), reason=reason, data={"status": status, "reason": reason, **columns})

    def _now(self) -> int:
        return self.engine.now if self._event_time and self.engine.now else to_nanos(datetime.now(UTC))
