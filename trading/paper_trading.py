"""The asynchronous driver: one paper or live session, from its first bar to its final row."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from opentelemetry import trace

from brokers.base import IAsyncBrokerage
from risk.clock import Clock
from risk.gate import OrderGate
from risk.halts import Place, Scope
from risk.watch import GateWatcher
from trading.closing import Closing
from trading.desk import OrderDesk
from trading.endings import FEED_ENDED, STOPPED, Ending, failed, halted
from trading.engine.bars import Bar, to_nanos
from trading.engine.effects import Effect
from trading.engine.records import Kind, Record, plain
from trading.feeds.base import LiveStream, Warming
from trading.feeds.signs import FeedSigns
from trading.heeding import Heed
from trading.journal import Journal
from trading.lease import HandedOver, Lease, keeper
from trading.ledger import LeaseLost, LedgerWriter
from trading.recovery import Recovered
from trading.show import Show
from trading.silence import Silence
from trading.snapshots import account_of, bar_extras, state_of
from trading.summary import RunSummary

#: For how long (s) a run that goes on tries to reach its venue; what is new fails at once, before who has started it.
PATIENCE = 120.0

log = logging.getLogger(__name__)
tracer = trace.get_tracer("alphaswarm.trading")


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
        start: Recovered,
        bars: Callable[[asyncio.Event], LiveStream],
        brokerage: IAsyncBrokerage,
        gate: OrderGate,
        watcher: GateWatcher,
        writer: LedgerWriter,
        show: Show,
        measure: Callable[[], dict[str, Any]],
        event_time: bool,
        flush_every: int = 10,
        stop_on_kill: bool = True,
        interval: int = 0,
        place: Place | None = None,
        signs: FeedSigns | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.run_id = run_id
        self.engine = engine = start.engine
        self.brokerage = brokerage
        self._attributes = {"broker.venue": brokerage.venue, "run.id": str(run_id)}
        self._lease = lease
        self._bars = bars
        self._gate = gate
        self._watcher = watcher
        self._show = show
        self._event_time = event_time
        self._flush_every = flush_every
        self._interval = interval
        self._wake = asyncio.Event()
        self._start = start
        self._journal = Journal(lease, start, writer, show, self._on_ledger_failure)
        place = place or {Scope.RUN: str(run_id)}
        self._desk = OrderDesk(
            engine,
            brokerage,
            gate,
            lease,
            self._journal,
            place=place,
            attributes=self._attributes,
            now=self._now,
            wake=self._wake,
            on_trouble=self._fail,
            signs=signs,
        )
        self._clock = self._desk.conditions.clock = clock
        self._heed = Heed(
            engine, self._desk, gate, place=place, stop_on_kill=stop_on_kill, end=self._end, now=self._now
        )
        self._closing = Closing(run_id, engine, self._desk, self._heed, self._journal, show, measure, self._now)
        self._silence = Silence(engine, self._wake, self._now, listens=not event_time)
        self._ending: Ending | None = None
        self._resumed_for: str | None = None
        self._leaving = False
        self._loop: asyncio.AbstractEventLoop | None = None

    # Verbs from outside; safe from any thread.

    def stop(self, ending: Ending = STOPPED) -> None:
        """Ask the session to drain and end; the first reason given is the one that counts."""
        self._call(self._end, ending)

    def leave(self) -> None:
        """Let go of the run for another process to go on with, unless it ends already: what is open stays open, all is
        written, and `run` raises `HandedOver`."""
        self._call(self._let_go)

    def resume(self, resumes: int, reason: str) -> None:
        """Let the session trade again that its risk rules hold back, for the ``resumes``-th time; told again, it does
        nothing."""
        self._call(self._resume, resumes, reason)

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
        self._wake.set()
        if self._ending is None:
            self._ending = ending
            if self._loop is not None:
                # At once, whatever the session is waiting for.
                self._closing.drain(ending)
                self._desk.cancel_open(ending.reason)

    def _let_go(self) -> None:
        self._leaving = True
        self._wake.set()

    def _fail(self, error: Exception) -> None:
        if self._closing.trouble is None:
            self._closing.trouble = error
        self._wake.set()

    def _resume(self, resumes: int, reason: str) -> None:
        if resumes > self._lease.resumes and not self._closing.draining:
            self._lease.resumes = resumes
            self._resumed_for = reason
            self._wake.set()

    def _renew(self) -> None:
        """Trade again where a person wanted it; between two bars, so that a replay knows what had been looked at."""
        reason, self._resumed_for = self._resumed_for, None
        if reason is not None:
            data = {"code": "resumed", "num_bars": self.engine.bars}
            self.engine.records.append(Record(Kind.RISK_RESUMED, self._now(), reason=reason, data=data))
            self.engine.renew()

    def _warm(self, bars: int) -> None:
        """Take the bars that follow as past ones; between two bars, as above."""
        data = {"num_bars": self.engine.bars, "bars": bars}
        self.engine.records.append(Record(Kind.FEED_WARMED, self._now(), data=data))
        self.engine.warm(bars)

    def _on_ledger_failure(self, error: Exception) -> None:
        self._call(self._fail, error)

    def _on_gate_change(self, epoch: int, engaged: bool) -> None:
        if engaged:
            self._journal.gather()
            self._call(self._heed.on_kill, epoch)
        self._call(self._heed.on_halts)

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
                except HandedOver:
                    await self._journal.commit()
                    raise
                except asyncio.CancelledError:
                    # Ctrl-C in a loop of somebody else's: it drains like every other end.
                    self._uncancel()
                    self._end(STOPPED)
                except Exception as error:
                    log.exception("run %s failed", self.run_id)
                    self._ending = failed(error)
                return await self._closing.finish(self._ending or self._own_ending(), started)
            finally:
                unsubscribe()
                self._heed.close()
                self._silence.close()
                await self._desk.close()
                if not self._leaving:
                    keeper().release(self._lease)

    def _own_ending(self) -> Ending:
        return halted(self.engine.halted) if self.engine.halted else FEED_ENDED

    def _uncancel(self) -> None:
        task = asyncio.current_task()
        while task is not None and task.uncancel():
            pass

    async def _trade(self) -> None:
        self._lease.on_stop = self.stop
        self._lease.on_leave = self.leave
        self._lease.on_resume = self.resume
        self._lease.on_lost = lambda: self._on_ledger_failure(LeaseLost(self.run_id))
        await self._desk.open(PATIENCE if self._start.resumed else 0.0, self._is_over)
        self._begin()
        await self._journal.commit()
        self._heed.look()
        self._silence.heard()
        if self._is_over():
            return
        await self._go_on()
        async with aclosing(self._bars(self._wake)) as bars:
            async for bar in bars:
                self._wake.clear()
                if self._is_over():
                    return
                if isinstance(bar, Warming):
                    self._warm(bar.bars)
                elif bar is not None:
                    await self._heed.withdrawn()
                    self._renew()
                    self._silence.heard()
                    await self._on_bar(bar)
                    await self._journal.keep_up()
                else:
                    self._desk.drain()
                    self._renew()
                    await self._pursue([*self._silence.effects(), *self.engine.go_on()])
                    self._journal.post()
                if self._is_over():
                    return
        self._is_over()

    def _begin(self) -> None:
        """Record that the run trades from here on, or again; one that was ending already ends as it was to."""
        start = self._start
        if not start.resumed:
            started_at = datetime.now(UTC).isoformat()
            self._journal.record(self._closing.status("running", started_at=started_at, interval=self._interval))
            return
        status = "running" if self.engine.reducing is None else "reducing"
        self._journal.record(self._closing.status(status, resumed=True, num_bars=start.bars))
        equity = self.engine.equity
        self._show("equity.update", plain(equity), self._now(), **account_of(self.engine, equity), resumed=True)
        if start.failure is not None:
            self._fail(start.failure)
        if start.ending is not None:
            self._end(start.ending)

    async def _go_on(self) -> None:
        """Do what the run was about to do when its owner was lost, and look at it where it had not been looked at."""
        start = self._start
        await self._desk.take_up(start.pending)
        if start.unmarked is not None:
            await self._pursue(self._mark(start.unmarked.time))
        await self._pursue(self.engine.go_on())
        self._journal.post()

    def _is_over(self) -> bool:
        if self._closing.trouble is not None:
            raise self._closing.trouble
        if self._ending is None and not self.engine.halted and self._leaving:
            raise HandedOver(self.run_id)
        return self._ending is not None or bool(self.engine.halted)

    async def _on_bar(self, bar: Bar) -> None:
        with tracer.start_as_current_span("paper.session.bar", attributes=self._attributes):
            self._journal.see(bar)
            if self._clock is not None:
                self._clock.see(bar.symbol, bar.time + self._interval)
            if self.brokerage.on_bar(bar):
                self._desk.drain()
            self._show("bar.received", bar.symbol, bar.time, **bar_extras(bar))
            effects = self.engine.on_bar(bar)
            if effects:
                await self._desk.place(effects)
            await self._pursue(self._mark(bar.time))
            self._journal.post()

    async def _pursue(self, effects: Sequence[Effect]) -> None:
        while effects:
            await self._desk.place(effects)
            effects = self.engine.go_on()

    def _mark(self, time: int) -> Sequence[Effect]:
        engine = self.engine
        cash, equity = engine.portfolio.cash, engine.portfolio.equity
        self._journal.look()
        self._journal.mark(time, equity, cash)
        watch = engine.agent.watch
        effects = () if watch is None else watch(engine, engine.portfolio.approximate_equity)
        degraded, risk = self._desk.standing.degraded, engine.agent.report(engine)
        self._show("equity.update", plain(equity), time, **account_of(engine, equity), risk=risk, degraded=degraded)
        if engine.bars % self._flush_every == 0:
            self._journal.save_state({**state_of(engine, equity), "degraded": degraded})
        return effects

    def _now(self) -> int:
        return self.engine.now if self._event_time and self.engine.now else to_nanos(datetime.now(UTC))
