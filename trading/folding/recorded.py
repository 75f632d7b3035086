"""What the database keeps of a run, as a replay takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from brokers.sim import SimulatedBrokerage
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind
from trading.folding.driver import ReplayDriver
from trading.folding.tape import Tape
from trading.models import Run
from trading.parts import Parts

_EVENTS: Final = "SELECT seq, kind, payload::text FROM ledger_events WHERE run_id = %s ORDER BY seq"
_KEPT: Final = "SELECT coalesce(sum(count), 0), coalesce(max(first + count), 0) FROM run_bars WHERE run_id = %s"


def driver_of(parts: Parts, engine: Engine, tape: Tape) -> ReplayDriver:
    """What runs ``engine`` over the bars again."""
    venue = parts.brokerage if isinstance(parts.brokerage, SimulatedBrokerage) else None
    return ReplayDriver(engine, venue, tape, stops_on_kill=parts.recipe.session.stop_on_kill_switch)


def events_of(database: psycopg.Connection[Any], run: Run) -> Iterator[tuple[int, str, str]]:
    with database.cursor("recorded_events") as cursor:
        yield from cursor.execute(_EVENTS, [run.id])


def check_kept(database: psycopg.Connection[Any], run: Run) -> None:
    """Raise `InvalidValue` where bars that the run has seen were deleted."""
    kept, numbered = database.execute(_KEPT, [run.id]).fetchone() or (0, 0)
    seen = max(numbered, run.num_bars)
    if kept < seen:
        raise InvalidValue(f"of the {seen:,} bars of this run only {kept:,} are kept: it cannot be replayed")


def interval_of(database: psycopg.Connection[Any], run: Run) -> int:
    """Nanoseconds from bar to bar, as the session recorded it when it began to run."""
    query = "SELECT payload -> 'data' -> 'interval' FROM ledger_events WHERE run_id = %s AND kind = %s ORDER BY seq"
    found = [row[0] for row in database.execute(query, [run.id, Kind.RUN_STATUS]) if row[0] is not None]
    return int(found[0]) if found else 0
