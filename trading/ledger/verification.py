"""Is the ledger what was written? Chain, anchors, tables and money, each checked on its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from trading.connections import connect
from trading.engine.records import Kind
from trading.ledger.anchors import link
from trading.ledger.events import NO_HASH, Payload, canonical, chain, decode
from trading.ledger.identities import imbalances
from trading.ledger.rebuild import Rebuild

#: Called now and then with how many events are done, and how many there are.
Progress = Callable[[int, int], None]

MOST_LISTED: Final = 1_000
_PROGRESS_EVERY: Final = 5_000
_FETCHED_AT_A_TIME: Final = 5_000

_ONLY: Final = "(%(runs)s::uuid[] IS NULL OR run_id = ANY(%(runs)s::uuid[]))"
_MICROSECONDS: Final = "(extract(epoch FROM {}) * 1000000)::bigint"
_EVENTS: Final = f"""
    SELECT run_id, seq, kind, {_MICROSECONDS.format("event_time")}, {_MICROSECONDS.format("recorded_at")},
           payload::text, hash
      FROM ledger_events WHERE {_ONLY} ORDER BY run_id, seq
"""
_HEADS: Final = f"SELECT run_id, seq, hash FROM ledger_heads WHERE {_ONLY} ORDER BY run_id"
_GROWN_SINCE: Final = """
    SELECT h.run_id FROM ledger_heads h JOIN ledger_events e ON e.run_id = h.run_id AND e.seq = h.seq
     WHERE e.recorded_at >= %s
"""
_CURVES: Final = f"SELECT run_id, encode(sha256(times || equity), 'hex') FROM equity_curves WHERE {_ONLY}"
_ANCHORED: Final = """
    SELECT a.id, a.run_id, a.seq, encode(a.head_hash, 'hex'), encode(e.hash, 'hex') FROM ledger_anchors a
      LEFT JOIN ledger_events e ON e.run_id = a.run_id AND e.seq = a.seq
     WHERE e.hash IS DISTINCT FROM a.head_hash
       AND (%(run)s::uuid IS NULL OR a.run_id = %(run)s::uuid) ORDER BY a.id
"""
_ANCHORS: Final = f"""
    SELECT id, run_id, seq, head_hash, hash, {_MICROSECONDS.format("created_at")} FROM ledger_anchors ORDER BY id
"""


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was written.

    ``check`` is chain, head, anchor, rebuild, curve or money, and of an exported copy file, chain or ledger; ``row``
    names the row within ``table``.
    """

    check: str
    run_id: str
    table: str
    row: str
    column: str
    expected: str | None
    found: str | None
    seq: int | None = None

    def __str__(self) -> str:
        where = f"run {self.run_id}, {self.table} {self.row}, {self.column}"
        return f"{self.check}: {where}: expected {self.expected}, found {self.found}"


@dataclass
class Report:
    """What a verification found. At most `MOST_LISTED` differences are listed; ``num_differences`` counts them all."""

    runs: int = 0
    events: int = 0
    anchors: int = 0
    last_anchor: str = ""
    seconds: float = 0.0
    num_differences: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.num_differences

    def add(self, difference: Difference) -> None:
        self.num_differences += 1
        if self.num_differences <= MOST_LISTED:
            self.differences.append(difference)

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def verify(run_id: UUID | None = None, progress: Progress | None = None, since: datetime | None = None) -> Report:
    """Check the ledger of one run, or all of it, as it stands at this moment; sessions may go on meanwhile.

    With ``since`` only runs to which anything was written at or after that time are read again; the anchors of all are
    checked none the less, so that a verification each night costs what the day has written. Raises LookupError where
    there is no such run. The links between anchors are checked only when no run is named.
    """
    with connect() as database:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report = verify_in(database, run_id, progress, since)
        database.rollback()
    return report


def verify_in(
    database: psycopg.Connection[Any],
    run_id: UUID | None = None,
    progress: Progress | None = None,
    since: datetime | None = None,
) -> Report:
    """`verify` as a transaction sees the ledger that is under way; it must be rolled back, to a savepoint at least."""
    started = time.perf_counter()
    with psycopg.Cursor(database) as cursor:
        if run_id is not None and not cursor.execute("SELECT FROM runs WHERE id = %s", [run_id]).rowcount:
            raise LookupError(f"there is no run {run_id}")
        runs = None if run_id is None else [run_id]
        if since is not None:
            grown = [row[0] for row in cursor.execute(_GROWN_SINCE, [since])]
            runs = grown if runs is None else [run for run in runs if run in grown]
        report = _Verification(database, cursor, run_id, runs, progress).report()
    report.seconds = time.perf_counter() - started
    return report


@dataclass
class _Tail:
    """How far a run's chain was followed."""

    seq: int = 0
    hash: bytes = NO_HASH
    fills: int = 0


class _Verification:
    def __init__(
        self,
        database: psycopg.Connection[Any],
        cursor: psycopg.Cursor[Any],
        run_id: UUID | None,
        runs: list[UUID] | None,
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._cursor = cursor
        self._run_id = run_id
        self._runs = runs
        self._only = {"runs": runs}
        self._progress = progress
        self._report = Report()
        self._tails: dict[UUID, _Tail] = {}
        self._curves: dict[UUID, str] = {}

    def report(self) -> Report:
        # Money and heads first: a rebuild puts its own tables before the real ones.
        for money in imbalances(self._cursor, self._runs):
            self._add("money", *money)
        heads = self._cursor.execute(_HEADS, self._only).fetchall()
        rebuild = Rebuild(self._cursor, self._tell_impossible, self._runs)
        self._follow_events(rebuild, sum(head[1] for head in heads))
        self._compare_heads(heads)
        self._compare_curves()
        self._compare_anchors()
        for mismatch in rebuild.mismatches():
            self._add("rebuild", *mismatch)
        self._report.runs = len(heads)
        return self._report

    def _tell_impossible(self, run_id: UUID, seq: int, why: str) -> None:
        self._add("rebuild", run_id, "ledger_events", f"#{seq}", "*", "a possible event", why, seq)

    def _add(
        self,
        check: str,
        run_id: UUID,
        table: str,
        row: str,
        column: str,
        expected: object,
        found: object,
        seq: int | None = None,
    ) -> None:
        right, wrong = (None if value is None else str(value) for value in (expected, found))
        self._report.add(Difference(check, str(run_id), table, row, column, right, wrong, seq))

    def _follow_events(self, rebuild: Rebuild, total: int) -> None:
        with psycopg.ServerCursor(self._database, "events") as events:
            events.itersize = _FETCHED_AT_A_TIME
            for run_id, seq, kind, event_time, recorded_at, text, digest in events.execute(_EVENTS, self._only):
                payload = decode(text) if text.startswith("{") else {}
                self._follow(run_id, seq, kind, event_time, recorded_at, payload, bytes(digest))
                rebuild.take(run_id, seq, kind, payload)
                self._report.events += 1
                if self._progress is not None and not self._report.events % _PROGRESS_EVERY:
                    self._progress(self._report.events, total)

    def _follow(
        self, run_id: UUID, seq: int, kind: str, event_time: int, recorded_at: int, payload: Payload, digest: bytes
    ) -> None:
        tail = self._tails.setdefault(run_id, _Tail())
        time_ns = payload.get("time", 0)
        told: dict[str, tuple[object, object]] = {
            "seq": (tail.seq + 1, seq),
            "event_time": (time_ns // 1000, event_time),
        }
        expected = chain(tail.hash, run_id, seq, kind, time_ns, recorded_at, canonical(payload))
        told["hash"] = (expected.hex(), digest.hex())
        data = payload.get("data") or {}
        tail.fills += "fill" in payload
        if kind == Kind.RUN_STATUS and "num_fills" in data:
            told["payload.data.num_fills"] = (tail.fills, data["num_fills"])
        for column, (right, found) in told.items():
            if right != found:
                self._add("chain", run_id, "ledger_events", f"#{seq}", column, right, found, seq)
        # From here the chain is followed as it stands, so that one changed event is told once.
        tail.seq, tail.hash = seq, digest
        if "curve" in data:
            self._curves[run_id] = data["curve"]

    def _compare_heads(self, heads: list[tuple[UUID, int, bytes]]) -> None:
        with_head = set()
        for run_id, seq, digest in heads:
            with_head.add(run_id)
            tail = self._tails.get(run_id, _Tail())
            for column, right, found in (("seq", tail.seq, seq), ("hash", tail.hash.hex(), bytes(digest).hex())):
                if right != found:
                    self._add("head", run_id, "ledger_heads", str(run_id), column, right, found, tail.seq)
        for run_id in self._tails.keys() - with_head:
            self._add("head", run_id, "ledger_heads", str(run_id), "*", "a head", None)

    def _compare_curves(self) -> None:
        stored = dict(self._cursor.execute(_CURVES, self._only).fetchall())
        for run_id in stored.keys() | self._curves.keys():
            right, found = self._curves.get(run_id), stored.get(run_id)
            if right != found:
                self._add("curve", run_id, "equity_curves", str(run_id), "sha256", right, found)

    def _compare_anchors(self) -> None:
        for number, run_id, seq, anchored, found in self._cursor.execute(_ANCHORED, {"run": self._run_id}).fetchall():
            self._add("anchor", run_id, "ledger_anchors", f"#{number}", "head_hash", anchored, found, seq)
        if self._run_id is not None:
            return
        previous, last = NO_HASH, 0
        with psycopg.ServerCursor(self._database, "anchors") as anchors:
            anchors.itersize = _FETCHED_AT_A_TIME
            for number, run_id, seq, head_hash, digest, created_at in anchors.execute(_ANCHORS):
                right = link(previous, run_id, seq, bytes(head_hash), created_at)
                for column, expected, found in (("id", last + 1, number), ("hash", right.hex(), bytes(digest).hex())):
                    if expected != found:
                        self._add("anchor", run_id, "ledger_anchors", f"#{number}", column, expected, found, seq)
                previous, last = bytes(digest), number
        self._report.anchors = last
        self._report.last_anchor = previous.hex() if last else ""
