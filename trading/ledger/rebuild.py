"""Rebuilding the tables from the events, beside the real ones: the same fold and the same statements write into
temporary twins, which PostgreSQL then compares row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from trading.engine.errors import InvalidValue
from trading.engine.records import plain
from trading.ledger import tables
from trading.ledger.events import Payload
from trading.ledger.projection import Changes

_TWINS: Final = ("orders", "fills", "positions", "equity_points", "risk_events", "runs")
_AT_A_TIME: Final = 10_000


class Mismatch(NamedTuple):
    """A column of a projected row that is not what the events make of it; None for a row that should not be there,
    or is not."""

    run_id: UUID
    table: str
    row: str
    column: str
    expected: str | None
    found: str | None


def _comparison(table: str, key: tuple[str, ...], columns: tables.Columns, only: str = "") -> str:
    """Rows of the real table beside their twins, where any column differs: run, key, twin's and real row as JSON."""
    names = ", ".join(f'"{name}"' for name in columns)
    run = "id" if table == "runs" else "run_id"
    side = f"SELECT {names} FROM {{}}.{table} WHERE (%(runs)s::uuid[] IS NULL OR {run} = ANY(%(runs)s::uuid[])) {only}"
    joined = " AND ".join(f'twin."{name}" = real."{name}"' for name in key)
    label = " || ' ' || ".join(f'coalesce(twin."{name}", real."{name}")::text' for name in key if name != "run_id")
    return f"""
        SELECT coalesce(twin.{run}, real.{run}), {label}, to_jsonb(twin)::text, to_jsonb(real)::text
          FROM ({side.format("pg_temp")}) twin FULL JOIN ({side.format("public")}) real ON {joined}
         WHERE twin IS DISTINCT FROM real ORDER BY 1, 2
    """


_COMPARISONS: Final = {
    "runs": _comparison("runs", ("id",), tables.RUN),
    "orders": _comparison("orders", ("id",), tables.ORDER),
    "fills": _comparison("fills", ("run_id", "seq"), tables.FILL),
    "positions": _comparison("positions", ("run_id", "symbol"), tables.POSITION),
    "equity_points": _comparison("equity_points", ("run_id", "time"), tables.POINT),
    # What the order gate or the inbox noted without a run's event has no seq.
    "risk_events": _comparison("risk_events", ("run_id", "seq"), tables.RISK_EVENT, "AND seq IS NOT NULL"),
}
_BEFORE_THE_FIRST_EVENT: Final = """
    UPDATE pg_temp.runs SET status = 'queued', reason = '', started_at = NULL, ended_at = NULL, final_equity = NULL,
           total_pnl = NULL, cash = NULL, num_bars = 0, num_fills = 0, ledger_hash = '', metrics = '{}'
"""


class Rebuild:
    """Takes the events of these runs or of all, in the order of run and seq, and says where the tables differ.

    ``tell_impossible`` hears of events that no ledger can hold: run, seq (0 where only their stretch is known) and why.
    Lives inside the caller's transaction, whose search path must lead to the real tables last.
    """

    def __init__(
        self, cursor: tables.Cursor, tell_impossible: Callable[[UUID, int, str], None], runs: list[UUID] | None = None
    ) -> None:
        self._cursor = cursor
        self._tell_impossible = tell_impossible
        self._only = {"runs": runs}
        self._changes: dict[UUID, Changes] = {}
        self._pending = 0
        for table in _TWINS:
            cursor.execute(
                f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING IDENTITY"
                " INCLUDING INDEXES) ON COMMIT DROP"
            )
        cursor.execute(
            "INSERT INTO pg_temp.runs SELECT * FROM public.runs"
            " WHERE %(runs)s::uuid[] IS NULL OR id = ANY(%(runs)s::uuid[])",
            self._only,
        )
        cursor.execute(_BEFORE_THE_FIRST_EVENT)

    def take(self, run_id: UUID, seq: int, kind: str, payload: Payload) -> None:
        changes = self._changes.setdefault(run_id, Changes(run_id))
        try:
            changes.apply(seq, kind, payload)
        except (InvalidValue, LookupError, TypeError) as error:
            self._tell_impossible(run_id, seq, f"{type(error).__name__}: {error}")
        self._pending += 1
        if self._pending >= _AT_A_TIME:
            self._write()

    def _write(self) -> None:
        everything = list(self._changes.values())
        if self._failure(everything) is not None:
            for changes in everything:
                error = self._failure([changes])
                if error is not None:
                    self._tell_impossible(UUID(changes.run_id), 0, error)
        self._changes.clear()
        self._pending = 0

    def _failure(self, changes: list[Changes]) -> str | None:
        """Write the changes; why they cannot be written, if so, and then nothing was."""
        try:
            database = self._cursor.connection
            with database.transaction(), tables.Together(database) as together:
                tables.write(together, changes)
        except (psycopg.DatabaseError, InvalidValue) as error:
            return str(error).strip()
        return None

    def mismatches(self) -> Iterator[Mismatch]:
        """Every column of every row that differs, table by table."""
        self._write()
        for table, query in _COMPARISONS.items():
            with psycopg.ServerCursor(self._cursor.connection, "mismatches") as rows:
                for run_id, key, twin, real in rows.execute(query, self._only):
                    yield from _columns(table, run_id, key, twin, real)


def _columns(table: str, run_id: UUID, key: str, twin: str | None, real: str | None) -> Iterator[Mismatch]:
    if twin is None or real is None:
        yield Mismatch(run_id, table, key, "*", twin, real)
        return
    expected, found = _fields(twin), _fields(real)
    for column, value in expected.items():
        if value != found[column]:
            yield Mismatch(run_id, table, key, column, value, found[column])


def _fields(row: str) -> dict[str, str | None]:
    """A row's columns as text, figures with every digit."""
    raw: dict[str, msgspec.Raw] = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    return {name: _text(bytes(value).decode()) for name, value in raw.items()}


def _text(value: str) -> str | None:
    if value == "null":
        return None
    if value.startswith('"'):
        return str(msgspec.json.decode(value))
    return plain(Decimal(value)) if value[0] in "-0123456789" else value
