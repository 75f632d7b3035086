"""From a recipe to a run: the only place that knows which mode, venue and feed a run has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from brokers import BROKERAGES
from brokers.base import Brokerage, IAsyncBrokerage
from brokers.sim import SimulatedBrokerage
from risk import places
from risk.agent import RiskManagementAgent
from risk.clock import Clock
from risk.gate import OrderGate
from risk.limits import RiskLimits
from risk.watch import gate_watcher
from trading import failpoints, ledger
from trading.admission import Facts, admit, place_of
from trading.backtest import PROGRESS_EVERY, Progress
from trading.bounds import bounded, bounded_live
from trading.endings import FEED_ENDED, STOPPED, halted
from trading.engine.bars import Bar, to_nanos
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.records import Kind, Record
from trading.engine.risk import RiskAgent
from trading.engine.strategy import IStrategy
from trading.feeds import FEEDS
from trading.feeds.base import IFeed, LiveStream
from trading.feeds.live import LiveFeed
from trading.feeds.pacing import paced
from trading.lease import Lease, claim, keeper, owner_name
from trading.metrics import performance_of_session
from trading.models import Mode, Run
from trading.paper_trading import PaperTradingSession
from trading.passes import Pass, pass_over
from trading.recipes import Recipe, load_config, parse
from trading.recipes.credentials import check_given, completed, secrets_of
from trading.results import benchmark_of, buy_and_hold
from trading.results.figures import load
from trading.show import Show, show_of
from trading.stopping import Stopping, TimeLeft
from trading.strategies import STRATEGIES
from trading.summary import RunSummary

Made = TypeVar("Made")
Agent = TypeVar("Agent", bound=RiskManagementAgent)


@dataclass(frozen=True)
class Parts:
    """A recipe's live objects. Making them contacts nobody and reads no data."""

    recipe: Recipe
    strategy: IStrategy
    feed: IFeed
    brokerage: IAsyncBrokerage
    limits: RiskLimits

    def facts(self) -> Facts:
        """What a run of these parts is, for its row."""
        return Facts(
            mode=Mode.LIVE if self.brokerage.live else Mode.PAPER,
            venue=self.brokerage.venue,
            synthetic=self.feed.synthetic,
            live_paced=self.feed.pace is not None,
            starting_cash=self.brokerage.starting_cash,
            account=self.brokerage.account,
        )

    def bars(self) -> Iterator[Bar]:
        session = self.recipe.session
        return bounded(self.feed.bars(), session.max_bars, session.duration_minutes)

    def stream(self, wake: asyncio.Event) -> LiveStream:
        """The bars as a session takes them: at their pace, and None whenever ``wake`` is set."""
        feed, session = self.feed, self.recipe.session
        if isinstance(feed, LiveFeed):
            return bounded_live(feed.stream(wake, self.strategy.history), wake, session.max_bars, session.duration_minutes)
        return paced(self.bars(), feed, wake)

    def total_bars(self) -> int | None:
        """How many bars there will be, of a prepared feed; None while only the bars themselves can tell."""
        session = self.recipe.session
        if session.duration_minutes is not None:
            return None
        known = [count for count in (self.feed.summary().get("bars"), session.max_bars) if count is not None]
        return min(known, default=None)

    def check_ends(self) -> None:
        """Raise `InvalidValue` where the bars would never end or are still to happen, as only a session's may."""
        session = self.recipe.session
        if isinstance(self.feed, LiveFeed):
            live = self.recipe.feed.cls
            raise InvalidValue(f"feed.class: {live} is live; recorded bars are needed here: --data FILE, or ReplayFeed")
        if self.feed.endless and session.max_bars is None and session.duration_minutes is None:
            raise InvalidValue("session.max_bars: this feed never ends; a backtest needs max_bars or duration_minutes")

    def check(self, thorough: bool) -> None:
        """Raise what is wrong with a backtest of them before it begins: with all of its data, or with what of them can
        be told in a moment."""
        self.check_ends()
        if thorough:
            self.prepare()
        else:
            self.feed.glance()

    def agent(self, make: type[Agent] = RiskManagementAgent) -> Agent:  # type: ignore[assignment]
        return make(self.limits, self.brokerage.starting_cash, self.recipe.sizing)

    def engine(self, run_id: UUID, agent: RiskAgent | None = None) -> Engine:
        """The engine of a run, with an agent of its own unless it is given one."""
        return Engine(
            run_id.hex,
            self.strategy,
            agent or self.agent(),
            self.recipe.universe,
            self.brokerage.starting_cash,
            self.recipe.special_instruments(),
            self.brokerage.account_type,
        )

    def prepare(self) -> None:
        """Read and check the feed's data; raises what is wrong with it."""
        self.feed.prepare()
        self.expect(self.feed.interval)

    def expect(self, interval: int) -> None:
        """Tell the venue what bars there will be: one every ``interval`` nanoseconds."""
        self.brokerage.expect(interval, self.recipe.special_instruments())


@dataclass(frozen=True)
class SimulatedParts(Parts):
    """Those of a run that can send no order."""

    brokerage: SimulatedBrokerage

    def passed(self, engine: Engine, progress: Progress) -> Pass:
        """One pass of the engine over the bars of a prepared feed."""
        return pass_over(self.bars(), engine, self.brokerage, progress)


def assemble_simulated(recipe: Recipe) -> SimulatedParts:
    """The live objects of a backtest, a trial or a replay: a real venue's place is taken by the simulated one, with the
    same starting cash."""
    parts = assemble(recipe)
    venue = parts.brokerage
    if not isinstance(venue, SimulatedBrokerage):
        venue = SimulatedBrokerage(starting_cash=venue.starting_cash)
    return SimulatedParts(parts.recipe, parts.strategy, parts.feed, venue, parts.limits)


def assemble(recipe: Recipe, **secrets: Any) -> Parts:
    """Make the live objects that a recipe names; ``secrets`` fill in what its feed and brokerage leave out."""
    strategy, feed, brokerage = recipe.strategy, recipe.feed, recipe.brokerage
    make_feed, make_brokerage = FEEDS[feed.cls], BROKERAGES[brokerage.cls]
    check_given(secrets, make_feed, make_brokerage)
    return Parts(
        recipe=recipe,
        strategy=STRATEGIES[strategy.cls](**strategy.kwargs),
        feed=_make(FEEDS[feed.cls], {"universe": recipe.universe, **feed.kwargs}, secrets),
        brokerage=_make(BROKERAGES[brokerage.cls], brokerage.kwargs, secrets),
        limits=recipe.risk,
    )


def venue_of(brokerage: Mapping[str, Any]) -> Brokerage:
    """The brokerage that a stored recipe names, with the secrets of this process' environment; contacts nobody."""
    return _make(BROKERAGES[brokerage["class"]], brokerage.get("kwargs") or {}, {})


def _make(cls: type[Made], kwargs: Mapping[str, Any], secrets: Mapping[str, Any]) -> Made:
    return cls(**completed(cls, kwargs, secrets))


def read_recipe(config: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """A recipe from itself, from its JSON form, or from the name or path of its file."""
    if isinstance(config, Recipe):
        return config
    return parse(config) if isinstance(config, Mapping) else load_config(config)


def build_from_config(config: Recipe | Mapping[str, Any] | str | Path, **kwargs: Any) -> PaperTradingSession:
    """A session ready to ``await session.run()`` in this process: admitted, claimed and owned.

    ``kwargs`` are secrets and other arguments of feed and brokerage that the recipe leaves out. Raises
    `trading.recipes.RecipeError`, `trading.admission.GateRefused` or `trading.admission.StartHeld`.
    """
    parts = assemble(read_recipe(config), **kwargs)
    parts.prepare()
    run = admit(parts.recipe, parts.facts(), created_by=owner_name())
    lease = claim(run.id)
    if lease is None:
        raise TradingError(f"run {run.id} was taken by another process")
    keeper().hold(lease)
    return session(run, lease, show_of(run), **{**kwargs, **secrets_of(parts.recipe)})


def session(run: Run, lease: Lease, show: Show, **secrets: Any) -> PaperTradingSession:
    """The driver of a claimed paper or live run."""
    parts = assemble(parse(run.recipe), **secrets)
    if parts.facts().mode != run.mode:
        raise TradingError(f"run {run.id} was admitted as {run.mode}, and its brokerage is {parts.facts().mode}")
    if parts.brokerage.live:
        failpoints.refuse_live()
    parts.prepare()
    fed, options = parts.feed.summary(), parts.recipe.session
    engine = parts.engine(run.id)
    return PaperTradingSession(
        run_id=run.id,
        lease=lease,
        engine=engine,
        bars=parts.stream,
        brokerage=parts.brokerage,
        gate=OrderGate(places.gate()),
        watcher=gate_watcher(),
        writer=ledger.writer(),
        show=show,
        measure=lambda: {**performance_of_session(run.id, parts.brokerage.starting_cash), "feed": fed},
        event_time=parts.feed.event_time,
        flush_every=options.state_flush_every_bars,
        stop_on_kill=options.stop_on_kill_switch,
        interval=parts.feed.interval,
        place=place_of(run),
        signs=parts.feed.signs if isinstance(parts.feed, LiveFeed) else None,
        clock=None if parts.feed.event_time else Clock(parts.limits, engine.instrument),
    )


def backtest(run: Run, lease: Lease, show: Show, *, hand_back: bool = False) -> RunSummary:
    """Run a claimed backtest to its end, show its progress, and write it to the ledger, whole or not at all.

    Raises `trading.stopping.HandedBack` where its worker is to end and ``hand_back`` leaves the run to another one.
    """
    load()
    started = time.perf_counter()
    stopping = Stopping(lease, hand_back=hand_back)
    parts = assemble_simulated(parse(run.recipe))
    parts.check_ends()
    status = _status({"status": "running", "started_at": datetime.now(UTC).isoformat()})
    ledger.append_now(run.id, [status], token=lease.token)
    show("start", run.name, None)
    engine = parts.engine(run.id)
    ready = stopping.done(parts.prepare)
    fed = {"feed": parts.feed.summary()} if ready else {}
    left = TimeLeft(parts.total_bars() if ready else None)

    def progress(bars: int) -> bool:
        figures = {"bars": bars, "total": left.total, "fills": engine.fills, "seconds_left": left.after(bars)}
        show("bar.processed", f"{bars} bars", engine.now, **figures)
        return not stopping.wanted()

    done = parts.passed(engine, progress) if ready else Pass(engine, parts.brokerage)
    if done.whole and engine.bars % PROGRESS_EVERY:
        progress(engine.bars)
    ending = FEED_ENDED if done.whole else halted(engine.halted) if engine.halted else STOPPED
    summary = RunSummary.of(
        run.id,
        ending.status,
        engine,
        reason=ending.reason,
        ledger_hash=done.ledger_hash,
        seconds=time.perf_counter() - started,
        metrics={**done.figures, "benchmark": _benchmark(parts, done), **fed},
    )
    # One append: a backtest whose owner was lost has left nothing behind, so that another one begins afresh.
    engine.records.append(_status({"status": ending.status, "reason": ending.reason, **summary.columns()}))
    ledger.append_now(run.id, engine.records, token=lease.token, curve=(done.times, done.equity))
    show("done", ending.status, engine.now, run_id=str(run.id), result=summary.as_dict())
    return summary


def _benchmark(parts: SimulatedParts, done: Pass) -> dict[str, Any] | None:
    """What buying and holding the universe over the same bars would have come to."""
    if not len(done.times):
        return None
    held = buy_and_hold(parts.bars(), parts.recipe.universe, done.cash, last=int(done.times[-1]))
    return benchmark_of(*held, done.cash)


def _status(data: dict[str, Any]) -> Record:
    return Record(Kind.RUN_STATUS, to_nanos(datetime.now(UTC)), reason=data.get("reason", ""), data=data)
