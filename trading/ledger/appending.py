"""Appending to the ledger: many runs in one transaction, each at the end of its own chain.

Whoever appends holds the row of the run, so that a change of owner (which updates that row) waits for it and the
fencing token it was checked against stays true until the commit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection, transaction

from trading import failpoints
from trading.engine.records import Kind, Record
from trading.ledger import tables
from trading.ledger.bars import Chunk, save_bars
from trading.ledger.curves import Curve, curve_digest, save_curve
from trading.ledger.events import Event, chain, encode, figure
from trading.ledger.projection import Changes

#: Equity and cash of a run at an event time in nanoseconds.
Point = tuple[int, Decimal, Decimal]
Database = psycopg.Connection[Any]


class LeaseLost(Exception):
    """Another owner, or the supervisor, has taken the run over: nothing of this append was written."""


class UnknownRun(LookupError):
    """There is no such run."""


@dataclass(frozen=True)
class Append:
    """What to write to one run, whole or not at all.

    ``token`` is the owner's fencing token; None for those who may write without owning the run (kill switch,
    supervisor, inbox). ``points`` are equity points, at most one per time. ``state`` replaces the run's flushed state,
    which is not part of the chain, but the last prices of its positions are. ``curve`` is a backtest's equity curve,
    ``bars`` are those that a session has seen since the append before.
    """

    run_id: UUID
    token: int | None
    records: Sequence[Record]
    points: Sequence[Point] = ()
    state: Mapping[str, Any] | None = None
    curve: Curve | None = None
    bars: Chunk | None = None


@dataclass
class Entry:
    """An append in the form in which it is written. Making one takes the facts as they are now.

    ``landed`` names the last event (seq, hash) of the latest attempt to write it, which may have been committed
    without anybody hearing of it.
    """

    append: Append
    recorded_at: int = 0
    events: list[Event] = field(default_factory=list)
    landed: tuple[int, bytes] | None = None

    def __post_init__(self) -> None:
        self.recorded_at = time.time_ns() // 1000
        self.events = [encode(record) for record in self.append.records]
        equity = _equity_record(self.append)
        if equity is not None:
            self.events.append(encode(equity))


def _equity_record(append: Append) -> Record | None:
    """The one fact that holds an append's equity points, last prices and the digest of its curve."""
    data: dict[str, Any] = {}
    if append.points:
        data["points"] = [(moment, figure(equity), figure(cash)) for moment, equity, cash in append.points]
    prices = _prices(append.state or {})
    if prices:
        data["prices"] = prices
    if append.curve is not None:
        data["curve"] = curve_digest(append.curve)
    return Record(Kind.EQUITY, _latest(append), data=data) if data else None


def _prices(state: Mapping[str, Any]) -> dict[str, str]:
    return {held["symbol"]: figure(Decimal(held["last_price"])) for held in state.get("positions", ())}


def _latest(append: Append) -> int:
    """The event time that an append has reached, in nanoseconds; the wall clock's where it tells none."""
    reached = [moment for moment, _, _ in append.points] + [record.time for record in append.records]
    if append.curve is not None:
        reached += [int(moment) for moment in append.curve[0][-1:]]
    return max(reached) if reached else (append.state or {}).get("time") or time.time_ns()


#: What became of an entry: the seq of its last event, why it was refused, or None: its run is held, ask again.
Outcome = int | LeaseLost | UnknownRun | None


@dataclass
class _Head:
    seq: int
    hash: bytes
    token: int


_LOCK: Final = """
    SELECT r.id, h.seq, h.hash, r.fencing_token FROM runs r JOIN ledger_heads h ON h.run_id = r.id
     WHERE r.id = ANY(%s::uuid[]) ORDER BY r.id FOR NO KEY UPDATE OF r, h
"""
_MOVE_HEADS: Final = """
    UPDATE ledger_heads h SET seq = moved.seq, hash = moved.hash
      FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[]) AS moved(run_id, seq, hash) WHERE h.run_id = moved.run_id
"""
_APPENDING: Final = "SELECT set_config('alphaswarm.appending', %s, true)"
_LANDED: Final = "SELECT hash FROM ledger_events WHERE run_id = %s AND seq = %s"


class _Stretch:
    """The next events of the runs whose heads are held."""

    def __init__(self, cursor: tables.Cursor, heads: dict[UUID, _Head]) -> None:
        self._cursor = cursor
        self._heads = heads
        self._rows: list[tables.EventRow] = []
        self._changes: dict[UUID, Changes] = {}
        self._curves: list[Append] = []
        self._bars: list[tuple[UUID, int, Chunk]] = []

    def take(self, entry: Entry) -> Outcome:
        append = entry.append
        head = self._heads.get(append.run_id)
        if head is None:
            return None
        if self._has_landed(entry, head):
            return entry.landed[0] if entry.landed else head.seq
        if append.token is not None and append.token != head.token:
            return LeaseLost(f"run {append.run_id}: token {append.token} is over, the run is at {head.token}")
        changes = self._changes.setdefault(append.run_id, Changes(append.run_id))
        before = head.seq
        for event in entry.events:
            self._chain(append.run_id, head, event, entry.recorded_at)
            changes.apply(head.seq, event.kind, event.payload)
        if entry.events:
            entry.landed = (head.seq, head.hash)
        if append.state is not None:
            changes.run["state"] = append.state
        if append.curve is not None:
            self._curves.append(append)
        if append.bars is not None:
            self._bars.append((append.run_id, before, append.bars))
        return head.seq

    def _has_landed(self, entry: Entry, head: _Head) -> bool:
        if entry.landed is None or entry.landed[0] > head.seq:
            return False
        seq, digest = entry.landed
        row = self._cursor.execute(_LANDED, [entry.append.run_id, seq]).fetchone()
        return row is not None and bytes(row[0]) == digest

    def _chain(self, run_id: UUID, head: _Head, event: Event, recorded_at: int) -> None:
        head.seq += 1
        head.hash = chain(head.hash, run_id, head.seq, event.kind, event.time, recorded_at, event.text)
        self._rows.append((run_id, head.seq, event.kind, event.time // 1000, event.text, head.hash, recorded_at))

    def write(self) -> None:
        if not self._changes:
            return
        moved = list(self._changes)
        heads = [self._heads[run_id] for run_id in moved]
        with tables.Together(self._cursor.connection) as together:
            together.execute(_APPENDING, "on")
            tables.add_events(together, self._rows)
            tables.write(together, list(self._changes.values()))
            for append in self._curves:
                if append.curve is not None:
                    save_curve(self._cursor, append.run_id, append.curve)
            save_bars(self._cursor, self._bars)
            together.execute(_MOVE_HEADS, moved, [head.seq for head in heads], [head.hash for head in heads])
            together.execute(_APPENDING, "")


def commit(database: Database, entries: Sequence[Entry], *, wait: bool = True) -> list[Outcome]:
    """Write the entries, in their order, in a transaction of their own; the outcome of each.

    With ``wait`` False a run that somebody else holds is left out and its outcome is None. An error of the database,
    or of one entry's content, undoes all.
    """
    with database.transaction():
        outcomes = _write(database, entries, wait)
        failpoints.reach("in-commit")
    failpoints.reach("after-commit")
    return outcomes


def _write(database: Database, entries: Sequence[Entry], wait: bool) -> list[Outcome]:
    with psycopg.Cursor(database) as cursor:
        stretch = _Stretch(cursor, _lock(cursor, entries, wait))
        outcomes = [stretch.take(entry) for entry in entries]
        missing = {entry.append.run_id for entry, outcome in zip(entries, outcomes, strict=True) if outcome is None}
        if missing:
            query = "SELECT run_id FROM ledger_heads WHERE run_id = ANY(%s::uuid[])"
            missing -= {row[0] for row in cursor.execute(query, [list(missing)])}
        stretch.write()
    return [
        UnknownRun(f"there is no run {entry.append.run_id}") if entry.append.run_id in missing else outcome
        for entry, outcome in zip(entries, outcomes, strict=True)
    ]


def _lock(cursor: tables.Cursor, entries: Sequence[Entry], wait: bool) -> dict[UUID, _Head]:
    """The heads of the entries' runs, held until the end of the transaction, in the order of their ids."""
    wanted = list({entry.append.run_id for entry in entries})
    cursor.execute(_LOCK if wait else f"{_LOCK} SKIP LOCKED", [wanted])
    return {run_id: _Head(seq, bytes(digest), token) for run_id, seq, digest, token in cursor}


def append(database: Database, batch: Sequence[Append]) -> list[int | LeaseLost | UnknownRun]:
    """Write the batch in one transaction; for each, the seq of its last event or why it alone was refused."""
    return [outcome for outcome in commit(database, [Entry(item) for item in batch]) if outcome is not None]


def append_now(
    run_id: UUID,
    records: Sequence[Record],
    token: int | None = None,
    *,
    points: Sequence[Point] = (),
    state: Mapping[str, Any] | None = None,
    curve: Curve | None = None,
) -> int:
    """Append on Django's connection, inside the caller's transaction if there is one; the seq of the last event.

    Raises `LeaseLost` where ``token`` is no longer the run's, and `UnknownRun`.
    """
    entry = Entry(Append(run_id, token, records, points, state, curve))
    with transaction.atomic():
        (outcome,) = _write(connection.connection, [entry], wait=True)
    if isinstance(outcome, int):
        return outcome
    raise outcome or UnknownRun(f"there is no run {run_id}")
