"""Replaying a run of the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import psycopg

from brokers.sim import SimulatedBrokerage
from trading import ledger, runner
from trading.connections import connect
from trading.endings import FEED_ENDED, STOPPED
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind
from trading.feeds.survey import changes
from trading.models import Mode, Run, RunStatus
from trading.queries import ACTIVE
from trading.recipes import parse
from trading.replay.driver import ReplayDriver
from trading.replay.tape import Difference, Differs, Over, Tape

_EVENTS: Final = "SELECT seq, kind, payload::text FROM ledger_events WHERE run_id = %s ORDER BY seq"
_KEPT: Final = "SELECT coalesce(sum(count), 0) FROM run_bars WHERE run_id = %s"


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

    Raises `InvalidValue` for a run that cannot be replayed: a blocked one, one at a real venue, one that saw more than
    ``most_bars``, one whose bars were deleted.
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
        except Over:
            pass
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
    if run.venue != SimulatedBrokerage.venue:
        raise InvalidValue(f"this run traded at {run.venue}; only runs on the simulated venue can be replayed")
    if most_bars is not None and run.num_bars > most_bars:
        raise InvalidValue(f"{run.num_bars:,} bars take too long here; use `alphaswarm replay {run.id}`")


def _made(
    database: psycopg.Connection[Any], run: Run, tape: Tape
) -> tuple[ReplayDriver, Iterator[Bar], str | None, str]:
    """The driver, the bars, the reason for which a backtest ended, and a note on the data."""
    parts = runner.assemble_simulated(parse(run.recipe))
    driver = driver_of(parts, parts.engine(run.id), tape)
    bars = bars_of(database, run, parts)
    if run.mode != Mode.BACKTEST:
        return driver, bars, None, ""
    return driver, bars, _ending_of(run), changes(run.metrics.get("feed") or {}, parts.feed.summary())


def driver_of(parts: runner.SimulatedParts, engine: Engine, tape: Tape) -> ReplayDriver:
    """What runs ``engine`` over the bars again."""
    return ReplayDriver(engine, parts.brokerage, tape, stops_on_kill=parts.recipe.session.stop_on_kill_switch)


def bars_of(database: psycopg.Connection[Any], run: Run, parts: runner.SimulatedParts) -> Iterator[Bar]:
    """The bars that the run saw, its venue told of them; raises `InvalidValue` where they were deleted."""
    if run.mode == Mode.BACKTEST:
        parts.prepare()
        return islice(parts.bars(), run.num_bars)
    _check_kept(database, run)
    parts.expect(_interval(database, run))
    return ledger.read_bars(database, run.id)


def _ending_of(run: Run) -> str | None:
    """The reason for which a backtest cancelled what was open; one that failed has recorded nothing."""
    if run.status == RunStatus.HALTED:
        return run.reason
    return {RunStatus.COMPLETED: FEED_ENDED.reason, RunStatus.STOPPED: STOPPED.reason}.get(RunStatus(run.status))


def _check_kept(database: psycopg.Connection[Any], run: Run) -> None:
    row = database.execute(_KEPT, [run.id]).fetchone()
    kept = 0 if row is None else int(row[0])
    if kept < run.num_bars:
        raise InvalidValue(f"of the {run.num_bars:,} bars of this run only {kept:,} are kept: it cannot be replayed")


def _interval(database: psycopg.Connection[Any], run: Run) -> int:
    """Nanoseconds from bar to bar, as the session recorded it when it began to run."""
    query = "SELECT payload -> 'data' -> 'interval' FROM ledger_events WHERE run_id = %s AND kind = %s ORDER BY seq"
    found = [row[0] for row in database.execute(query, [run.id, Kind.RUN_STATUS]) if row[0] is not None]
    return int(found[0]) if found else 0


def events_of(database: psycopg.Connection[Any], run: Run) -> Iterator[tuple[int, str, str]]:
    with database.cursor("recorded_events") as cursor:
        yield from cursor.execute(_EVENTS, [run.id])
