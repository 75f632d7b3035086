"""Writing to the tables: one statement per table, however many rows and runs.

Events travel as columns, being many; the rows of the other tables as one JSON document per statement. The statements go
together: a writer beside many busy threads waits for the interpreter at each answer of the database. Table names are
unqualified on purpose: a rebuild runs the same statements on temporary twins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, LiteralString, cast
from uuid import UUID

import msgspec
import psycopg

from trading.engine.errors import InvalidValue
from trading.ledger.projection import Changes, Row

Columns = Mapping[str, str]
Cursor = psycopg.Cursor[Any]

#: A time that travels as integer microseconds since the epoch.
MOMENT: Final = "moment"
#: What a row leaves out where it is not set: a boolean that is then false, a text that is then empty.
FLAG: Final = "flag"
NAME: Final = "name"

#: Run, seq, kind, event time, canonical payload, hash, time of recording; times in microseconds since the epoch.
EventRow = tuple[UUID, int, str, int, bytes, bytes, int]
ORDER: Final = {
    "id": "text",
    "run_id": "uuid",
    "seq": "bigint",
    "client_order_id": "text",
    "venue_order_id": "text",
    "symbol": "text",
    "side": "text",
    "type": "text",
    "time_in_force": "text",
    "qty": "numeric",
    "filled_qty": "numeric",
    "limit_price": "numeric",
    "stop_price": "numeric",
    "trail_amount": "numeric",
    "trail_percent": "numeric",
    "expires_at": MOMENT,
    "extended_hours": FLAG,
    "reduce_only": FLAG,
    "parent_id": NAME,
    "group_id": NAME,
    "replaces": NAME,
    "external": FLAG,
    "sizing": NAME,
    "avg_fill_price": "numeric",
    "status": "text",
    "signal": "text",
    "reason": "text",
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
FILL: Final = {
    "run_id": "uuid",
    "seq": "bigint",
    "order_id": "text",
    "venue_execution_id": "text",
    "symbol": "text",
    "side": "text",
    "qty": "numeric",
    "price": "numeric",
    "fee": "numeric",
    "filled_at": MOMENT,
}
POSITION: Final = {
    "run_id": "uuid",
    "symbol": "text",
    "qty": "numeric",
    "cost": "numeric",
    "avg_price": "numeric",
    "realized_pnl": "numeric",
    "last_price": "numeric",
    "updated_at": MOMENT,
}
POINT: Final = {"run_id": "uuid", "time": MOMENT, "equity": "numeric", "cash": "numeric"}
RISK_EVENT: Final = {
    "run_id": "uuid",
    "seq": "bigint",
    "code": "text",
    "message": "text",
    "figure": "numeric",
    "limit": "numeric",
    "created_at": MOMENT,
}
#: What the ledger knows of a run; its other columns belong to whoever started or owns it.
RUN: Final = {
    "id": "uuid",
    "status": "text",
    "reason": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "final_equity": "numeric",
    "total_pnl": "numeric",
    "cash": "numeric",
    "num_bars": "bigint",
    "num_fills": "bigint",
    "ledger_hash": "text",
    "metrics": "jsonb",
}


_AS_IT_IS: Final = '"{}"'
_SELECTED: Final = {
    MOMENT: "'epoch'::timestamptz + \"{}\" * interval '1 microsecond'",
    FLAG: 'coalesce("{}", false)',
    NAME: "coalesce(\"{}\", '')",
}
_TRAVELS_AS: Final = {MOMENT: "bigint", FLAG: "boolean", NAME: "text"}


def _rows(columns: Columns) -> str:
    """A SELECT over the rows of one JSON parameter, each column in its own type."""
    names = ", ".join(f'{_SELECTED.get(kind, _AS_IT_IS).format(name)} AS "{name}"' for name, kind in columns.items())
    types = ", ".join(f'"{name}" {_TRAVELS_AS.get(kind, kind)}' for name, kind in columns.items())
    return f"SELECT {names} FROM json_to_recordset(%s::json) AS r({types})"


def _insert(table: str, columns: Columns, otherwise: str = "") -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) {_rows(columns)} {otherwise}"


def _replaced(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}" = excluded."{name}"' for name in columns)


def _kept_where_null(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}" = coalesce(r."{name}", t."{name}")' for name in columns)


ADD_EVENTS: Final = """
    INSERT INTO ledger_events (run_id, seq, kind, event_time, payload, hash, recorded_at)
    SELECT run_id, seq, kind, 'epoch'::timestamptz + event_time * interval '1 microsecond', payload, hash,
           'epoch'::timestamptz + recorded_at * interval '1 microsecond'
      FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bigint[], %s::jsonb[], %s::bytea[], %s::bigint[])
        AS r(run_id, seq, kind, event_time, payload, hash, recorded_at)
"""

_ORDER_STATE: Final = ("status", "filled_qty", "avg_fill_price", "venue_order_id", "reason", "updated_at")
_RUN_STATE: Final = {**RUN, "state": "jsonb"}
_WITH_RULES_OF_THEIR_OWN: Final = ("id", "num_fills", "ended_at")

# An order that was intended in an earlier stretch may still be denied: the gate spoke after the intent was durable.
ADD_ORDERS: Final = _insert(
    "orders",
    ORDER,
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at,"
    " reason = coalesce(nullif(excluded.reason, ''), orders.reason) WHERE excluded.status = 'denied'",
)
UPDATE_ORDERS: Final = (
    f"UPDATE orders t SET {_kept_where_null(_ORDER_STATE)}"
    f" FROM ({_rows({name: ORDER[name] for name in ('id', *_ORDER_STATE)})}) r WHERE t.id = r.id"
)
ADD_FILLS: Final = _insert("fills", FILL)
PUT_POSITIONS: Final = _insert(
    "positions", POSITION, f"ON CONFLICT (run_id, symbol) DO UPDATE SET {_replaced(list(POSITION)[2:])}"
)
MARK_POSITIONS: Final = (
    "UPDATE positions t SET last_price = r.last_price, updated_at = r.updated_at"
    f" FROM ({_rows({name: POSITION[name] for name in ('run_id', 'symbol', 'last_price', 'updated_at')})}) r"
    " WHERE t.run_id = r.run_id AND t.symbol = r.symbol"
)
PUT_POINTS: Final = _insert(
    "equity_points", POINT, f"ON CONFLICT (run_id, time) DO UPDATE SET {_replaced(('equity', 'cash'))}"
)
ADD_RISK_EVENTS: Final = _insert("risk_events", RISK_EVENT)
UPDATE_RUNS: Final = (
    f"UPDATE runs t SET {_kept_where_null(name for name in _RUN_STATE if name not in _WITH_RULES_OF_THEIR_OWN)},"
    " num_fills = t.num_fills + coalesce(r.num_fills, 0),"
    " ended_at = CASE WHEN r.status IS NULL THEN t.ended_at ELSE r.ended_at END"
    f" FROM ({_rows(_RUN_STATE)}) r WHERE t.id = r.id"
)


_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class Together:
    """Statements that are sent in one go. Leaving waits for their answers: it raises the database's first error, or
    `InvalidValue` where one did not concern all of its rows."""

    def __init__(self, database: psycopg.Connection[Any]) -> None:
        self._database = database
        self._pipeline = database.pipeline()
        self._counted: list[tuple[Cursor, int, str]] = []

    def __enter__(self) -> Together:
        self._pipeline.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._pipeline.__exit__(*error)
        for cursor, rows, otherwise in self._counted:
            if cursor.rowcount != rows:
                raise InvalidValue(otherwise)

    def execute(self, statement: LiteralString, *parameters: Any) -> Cursor:
        return psycopg.Cursor(self._database).execute(statement, parameters)

    def put(self, statement: str, rows: Sequence[Row], otherwise: str = "") -> None:
        """Execute a statement over rows. ``otherwise`` is what is wrong where it concerns fewer of them."""
        if rows:
            cursor = self.execute(cast(LiteralString, statement), _encoder.encode(rows).decode())
            if otherwise:
                self._counted.append((cursor, len(rows), otherwise))


def add_events(together: Together, rows: Sequence[EventRow]) -> None:
    if not rows:
        return
    runs, seqs, kinds, times, payloads, hashes, recorded = zip(*rows, strict=True)
    together.execute(
        ADD_EVENTS,
        _array([run_id.hex for run_id in runs]),
        _array(map(str, seqs)),
        _array(kinds),
        _array(map(str, times)),
        _array(_quoted(payload.decode()) for payload in payloads),
        _array([f'"\\\\x{digest.hex()}"' for digest in hashes]),
        _array(map(str, recorded)),
    )


def _array(elements: Iterable[str]) -> str:
    """An array as PostgreSQL reads it: several times as fast as to have each element adapted."""
    return f"{{{','.join(elements)}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write(together: Together, changes: Sequence[Changes]) -> None:
    """Bring the tables up to date."""
    orders = [row for change in changes for row in change.orders.values()]
    together.put(ADD_ORDERS, orders, "an order is intended that the ledger has already")
    updates = [row for change in changes for row in change.order_updates.values()]
    together.put(UPDATE_ORDERS, updates, "an event is about an order that the ledger has no intent of")
    together.put(ADD_FILLS, [row for change in changes for row in change.fills])
    together.put(PUT_POSITIONS, [row for change in changes for row in change.positions.values()])
    together.put(MARK_POSITIONS, [row for change in changes for row in change.prices.values()])
    together.put(PUT_POINTS, [row for change in changes for row in change.points.values()])
    together.put(ADD_RISK_EVENTS, [row for change in changes for row in change.risk_events])
    together.put(UPDATE_RUNS, [{"id": change.run_id, **change.run} for change in changes if change.run])
