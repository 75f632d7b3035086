"""A table of the ledger as CSV, by HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import psycopg
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router

from access.auth import require
from access.problems import invalid
from trading.api import run_of
from trading.connections import connect, conninfo
from trading.ledger.exports import TABLES, Scope, Table
from trading.trail.api import in_utc

router = Router(tags=["trading"])

#: Of one answer, since the web server takes what it is given into memory, however slowly the other side reads.
MOST_ROWS: Final = 100_000

Name = Literal["runs", "orders", "fills", "positions", "equity_points", "risk_events", "events"]
First = Annotated[datetime | None, Query(alias="from", description="the first moment; UTC unless it says otherwise")]
After = Annotated[datetime | None, Query(alias="to", description="the first moment after it")]


@router.get("/ledger/export", auth=require("read"))
def export_table(
    request: HttpRequest, table: Name = "fills", run: UUID | None = None, since: First = None, until: After = None
) -> StreamingHttpResponse:
    """One table as CSV, of one run or of all; at most 100,000 rows: `alphaswarm ledger export` writes any number."""
    if run is not None:
        run_of(run)
    scope = Scope(None if run is None else [run], in_utc(since), in_utc(until))
    if scope.since is not None and scope.until is not None and scope.since >= scope.until:
        raise invalid([{"field": "from", "message": "is not before `to`"}])
    _check_size(TABLES[table], scope)
    name = f"{table}-{run}.csv" if run else f"{table}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_blocks(TABLES[table], scope), content_type="text/csv; charset=utf-8", headers=headers)


def _check_size(table: Table, scope: Scope) -> None:
    query = f"SELECT count(*) FROM (SELECT FROM {table.source} WHERE {table.condition} LIMIT {MOST_ROWS + 1}) AS found"
    with connect() as database:
        row = database.execute(query, scope.parameters).fetchone()
    if row and row[0] > MOST_ROWS:
        message = f"more than {MOST_ROWS:,} rows: ask for one run or less time, or use `alphaswarm ledger export`"
        raise invalid([{"field": "table", "message": message}])


async def _blocks(table: Table, scope: Scope) -> AsyncIterator[bytes]:
    async with await psycopg.AsyncConnection.connect(conninfo()) as database:
        cursor: psycopg.AsyncCursor[Any] = psycopg.AsyncClientCursor(database)
        async with cursor.copy(table.csv, scope.parameters) as copy:
            async for block in copy:
                yield bytes(block)
