"""From a recipe to a run: the only place that knows which mode, venue and feed a run has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from risk import places
from risk.clock import Clock
from risk.gate import shared_gate
from risk.watch import gate_watcher
from trading import failpoints, ledger, releases
from trading.admission import admit, place_of
from trading.backtest import PROGRESS_EVERY
from trading.bounds import bounded_live
from trading.endings import FEED_ENDED, STOPPED, halted
from trading.engine.bars import to_nanos
from trading.engine.errors import TradingError
from trading.engine.records import Kind, Record
from trading.feeds.base import LiveStream
from trading.feeds.live import LiveFeed
from trading.feeds.pacing import paced
from trading.lease import Lease, claim, keeper, owner_name
from trading.metrics import performance_of_session
from trading.models import Run
from trading.paper_trading import PaperTradingSession
from trading.parts import Parts, SimulatedParts, assemble, assemble_simulated
from trading.passes import Pass
from trading.recipes import Recipe, load_config, parse
from trading.recipes.credentials import secrets_of
from trading.recovery import Recovered, recovered
from trading.results import benchmark_of, buy_and_hold
from trading.results.figures import load
from trading.show import Show
from trading.stopping import Stopping, TimeLeft
from trading.summary import RunSummary


def read_recipe(config: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """A recipe from itself, from its JSON form, or from the name or path of its file."""
    if isinstance(config, Recipe):
        return config
    return parse(config) if isinstance(config, Mapping) else load_config(config)


def build_from_config(config: Recipe | Mapping[str, Any] | str | Path, **kwargs: Any) -> PaperTradingSession:
    """A session ready to ``await session.run()`` in this process: admitted, claimed and owned.

    ``kwargs`` are secrets and other arguments of feed and brokerage that the recipe leaves out. Raises
    `trading.recipes.RecipeError`, `trading.admission.GateRefused`, `trading.admission.StartHeld` or
    `trading.releases.OtherVersion`.
    """
    releases.check()
    parts = assemble(read_recipe(config), **kwargs)
    parts.prepare()
    run = admit(parts.recipe, parts.facts(), created_by=owner_name())
    lease = claim(run.id)
    if lease is None:
        raise TradingError(f"run {run.id} was taken by another process")
    keeper().hold(lease)
    return session(run, lease, Show(run), **{**kwargs, **secrets_of(parts.recipe)})


def session(run: Run, lease: Lease, show: Show, **secrets: Any) -> PaperTradingSession:
    """The driver of a claimed paper or live run, from where the run is: every start is a recovery.

    Raises `trading.recovery.CannotResume` for one that has traded and cannot be brought to where it was.
    """
    parts = assemble(parse(run.recipe), **secrets)
    if parts.facts().mode != run.mode:
        raise TradingError(f"run {run.id} was admitted as {run.mode}, and its brokerage is {parts.facts().mode}")
    if parts.brokerage.live:
        failpoints.refuse_live()
    start = recovered(run, parts)
    fed, options = parts.feed.summary(), parts.recipe.session
    return PaperTradingSession(
        run_id=run.id,
        lease=lease,
        start=start,
        bars=_stream(parts, start, run.started_at),
        brokerage=parts.brokerage,
        gate=shared_gate(places.gate()),
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
        clock=None if parts.feed.event_time else Clock(parts.limits, start.engine.instrument),
    )


def _stream(parts: Parts, start: Recovered, begun: datetime | None) -> Callable[[asyncio.Event], LiveStream]:
    """The bars that the run has not seen, as its session takes them; its bounds count from its beginning."""
    feed, bounds = parts.feed, parts.recipe.session
    if not isinstance(feed, LiveFeed):
        bars = start.after(parts.bars())
        return lambda wake: paced(bars, feed, wake)
    live, minutes = feed, bounds.duration_minutes
    live.seen({symbol: bar.time for symbol, bar in start.last.items()})
    if minutes is not None and begun is not None:
        minutes = max(minutes - (datetime.now(UTC) - begun).total_seconds() / 60, 0)
    history, seen = parts.strategy.history, start.engine.traded_bars
    return lambda wake: bounded_live(live.stream(wake, history), wake, bounds.max_bars, minutes, seen)


def backtest(run: Run, lease: Lease, show: Show, *, hand_back: bool = False) -> RunSummary:
    """Run a claimed backtest to its end, show its progress, and write it to the ledger, whole or not at all.

    Raises `trading.lease.HandedOver` where its worker is to end and ``hand_back`` leaves the run to another one.
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
