"""Replaying a run of the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg

from trading import ledger
from trading.connections import connect
from trading.endings import FEED_ENDED, STOPPED
from trading.engine.errors import InvalidValue
from trading.feeds.survey import changes
from trading.folding.driver import ReplayDriver
from trading.folding.recorded import check_kept, driver_of, events_of, interval_of
from trading.folding.tape import Difference, Differs, Tape
from trading.ledger import Seen
from trading.models import Mode, Run, RunStatus
from trading.parts import Parts, assemble, assemble_simulated
from trading.queries import ACTIVE
from trading.recipes import parse


@dataclass(frozen=True)
class ReplayReport:
    """``facts`` were compared over ``bars``; ``difference`` is the first one, None where all is the same.

    ``note`` tells what limits the comparison: a run that has no end, or data that has changed since.
    """

    run: Run
    bars: int
    facts: int
    ledger_hash: str
    seconds: float
    difference: Difference | None = None
    note: str = ""

    @property
    def same(self) -> bool:
        return self.difference is None

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": str(self.run.id),
            "name": self.run.name,
            "same": self.same,
            "bars": self.bars,
            "facts": self.facts,
            "recorded_hash": self.run.ledger_hash,
            "replayed_hash": self.ledger_hash,
            "difference": None if self.difference is None else self.difference.as_dict(),
            "note": self.note,
            "seconds": round(self.seconds, 3),
        }


def replay(run: Run, most_bars: int | None = None) -> ReplayReport:
    """Run it again from its recipe and its bars, in memory; nothing is written.

    Raises `InvalidValue` for a run that cannot be replayed: a blocked one, one that saw more than ``most_bars``, one
    whose bars were deleted.
    """
    check(run, most_bars)
    started = time.perf_counter()
    with connect() as database:
        # One look at bars and facts, also while the run goes on.
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        unfinished = run.status in ACTIVE or run.status == RunStatus.INTERRUPTED
        tape = Tape(events_of(database, run), unfinished=unfinished)
        driver, bars, ending, note = _made(database, run, tape)
        difference = None
        try:
            driver.run(bars, ending)
        except Differs as differs:
            difference = differs.difference
    if unfinished and not note:
        note = f"the run is {run.status}: compared as far as it was recorded"
    return ReplayReport(
        run=run,
        bars=driver.engine.bars,
        facts=tape.compared,
        ledger_hash=driver.ledger_hash,
        seconds=time.perf_counter() - started,
        difference=difference,
        note=note,
    )


def check(run: Run, most_bars: int | None) -> None:
    """Raise `InvalidValue` for a run that cannot be replayed."""
    if run.status == RunStatus.BLOCKED:
        raise InvalidValue("the metadata gate refused this run: there is nothing to replay")
    if run.mode == Mode.BACKTEST and run.status in ACTIVE:
        raise InvalidValue("this backtest writes its ledger at its end: replay it then")
    if most_bars is not None and run.num_bars > most_bars:
        raise InvalidValue(f"{run.num_bars:,} bars take too long here; use `alphaswarm replay {run.id}`")


def _made(
    database: psycopg.Connection[Any], run: Run, tape: Tape
) -> tuple[ReplayDriver, Iterator[Seen], str | None, str]:
    """The driver, the bars, the reason for which a backtest ended, and a note on the data."""
    parts = parts_of(run)
    driver = driver_of(parts, parts.engine(run.id), tape)
    bars = bars_of(database, run, parts)
    if run.mode != Mode.BACKTEST:
        return driver, bars, None, ""
    return driver, bars, _ending_of(run), changes(run.metrics.get("feed") or {}, parts.feed.summary())


def parts_of(run: Run) -> Parts:
    """The live objects of the run; no venue is contacted."""
    recipe = parse(run.recipe)
    return assemble_simulated(recipe) if run.mode == Mode.BACKTEST else assemble(recipe)


def bars_of(database: psycopg.Connection[Any], run: Run, parts: Parts) -> Iterator[Seen]:
    """The bars that the run saw, its venue told of them; raises `InvalidValue` where they were deleted."""
    if run.mode == Mode.BACKTEST:
        parts.prepare()
        return map(Seen, islice(parts.bars(), run.num_bars))
    check_kept(database, run)
    parts.expect(interval_of(database, run))
    return ledger.read_seen(database, run.id)


def _ending_of(run: Run) -> str | None:
    """The reason for which a backtest cancelled what was open; one that failed has recorded nothing."""
    if run.status == RunStatus.HALTED:
        return run.reason
    return {RunStatus.COMPLETED: FEED_ENDED.reason, RunStatus.STOPPED: STOPPED.reason}.get(RunStatus(run.status))
