"""What may be taken out of the ledger: tables, their columns, and the queries that read them in a fixed order, as exact
text or in PostgreSQL's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from trading.ledger import tables

#: Of a column: text, or one of these.
INTEGER: Final = "bigint"
FIGURE: Final = "numeric"
TIME: Final = "timestamptz"
TRUTH: Final = "boolean"
TEXT: Final = "text"

_KINDS: Final[Mapping[str, str]] = {
    "bigint": INTEGER,
    "numeric": FIGURE,
    "timestamptz": TIME,
    tables.MOMENT: TIME,
    tables.FLAG: TRUTH,
}
#: By which columns a scope may choose, where a table has them.
_CHOSEN: Final = ("symbol", "side", "status", "kind")
#: What a spreadsheet takes for a formula, and the mark that keeps it from doing so.
_FORMULA: Final = r"^[=+@\t\r''-]"


@dataclass(frozen=True)
class Scope:
    """Which runs (all, if None), and from when (included) to when (excluded) in the runs' own time.

    The others choose rows of the tables that have such a column; None chooses all.
    """

    runs: list[UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    symbol: str | None = None
    side: str | None = None
    status: str | None = None
    kind: str | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Table:
    """``columns`` are name and kind; ``time`` is the column that a scope's times are about, where there is one."""

    name: str
    columns: Mapping[str, str]
    source: str
    order: str
    time: str = ""
    run: str = "run_id"

    @property
    def condition(self) -> str:
        conditions = [f"(%(runs)s::uuid[] IS NULL OR {self.run} = ANY(%(runs)s::uuid[]))"]
        for name in _CHOSEN:
            if name in self.columns:
                conditions.append(f'(%({name})s::text IS NULL OR "{name}" = %({name})s::text)')
        chosen = " AND ".join(conditions)
        if not self.time:
            return chosen
        since = f'(%(since)s::timestamptz IS NULL OR "{self.time}" >= %(since)s)'
        return f'{chosen} AND {since} AND (%(until)s::timestamptz IS NULL OR "{self.time}" < %(until)s)'

    @property
    def typed(self) -> str:
        """The query whose rows come in PostgreSQL's types; what is no figure, time, truth or integer as text."""
        return self._query({INTEGER: "{}", FIGURE: "{}", TIME: "{}", TRUTH: "{}", TEXT: "{}::text"})

    @property
    def csv(self) -> str:
        """The COPY that writes it as CSV: the first line names the columns, null is nothing and empty text is ``""``.

        Times are ISO 8601 in UTC with microseconds, figures have every digit, truths are ``true`` and ``false``. A text
        that a spreadsheet would take for a formula, or that begins with an apostrophe, has an apostrophe before it.
        """
        time = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        safe = f"CASE WHEN {{0}}::text ~ E'{_FORMULA}' THEN '''' || {{0}}::text ELSE {{0}}::text END"
        text = {INTEGER: "{}", FIGURE: "{}", TIME: time, TRUTH: "{}::text", TEXT: safe}
        return f"COPY ({self._query(text)}) TO STDOUT (FORMAT csv, HEADER true)"

    def _query(self, written: Mapping[str, str]) -> str:
        columns = ", ".join(f'{written[kind].format(_quoted(name))} AS "{name}"' for name, kind in self.columns.items())
        return f"SELECT {columns} FROM {self.source} WHERE {self.condition} ORDER BY {self.order}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _kinds(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: _KINDS.get(kind, TEXT) for name, kind in columns.items()}


_RUN_COLUMNS: Final = {
    "id": TEXT,
    "name": TEXT,
    "mode": TEXT,
    "venue": TEXT,
    "account": TEXT,
    "synthetic": TRUTH,
    "starting_cash": FIGURE,
    "created_by": TEXT,
    "created_at": TIME,
}
_EVENT_COLUMNS: Final = {
    "run_id": TEXT,
    "seq": INTEGER,
    "kind": TEXT,
    "event_time": TIME,
    "recorded_at": TIME,
    "payload": TEXT,
    "hash": TEXT,
}
#: Of each chain the stretch from the first event in the time to the last: only without a gap can it be checked.
STRETCHES: Final = """(
    SELECT run_id, min(seq) AS first, max(seq) AS last FROM ledger_events
     WHERE (%(runs)s::uuid[] IS NULL OR run_id = ANY(%(runs)s::uuid[]))
       AND (%(since)s::timestamptz IS NULL OR event_time >= %(since)s)
       AND (%(until)s::timestamptz IS NULL OR event_time < %(until)s) GROUP BY run_id
)"""
_EVENTS: Final = f"""(
    SELECT e.run_id, e.seq, e.kind, e.event_time, e.recorded_at, e.payload, encode(e.hash, 'hex') AS hash
      FROM {STRETCHES} s JOIN ledger_events e ON e.run_id = s.run_id AND e.seq BETWEEN s.first AND s.last
) events"""

EVENTS: Final = Table("events", _EVENT_COLUMNS, _EVENTS, "run_id, seq")
TABLES: Final[Mapping[str, Table]] = {
    table.name: table
    for table in (
        Table("runs", {**_RUN_COLUMNS, **_kinds(tables.RUN)}, "runs", "created_at, id", run="id"),
        Table("orders", _kinds(tables.ORDER), "orders", "run_id, seq", "created_at"),
        Table("fills", _kinds(tables.FILL), "fills", "run_id, seq", "filled_at"),
        Table("positions", _kinds(tables.POSITION), "positions", "run_id, symbol"),
        Table("equity_points", _kinds(tables.POINT), "equity_points", 'run_id, "time"', "time"),
        Table("risk_events", _kinds(tables.RISK_EVENT), "risk_events", "run_id, id", "created_at"),
        EVENTS,
    )
}
