"""Tables of the ledger as files, and what they come to, by HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import psycopg
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema

from access.auth import require
from access.problems import invalid
from trading.api import run_of
from trading.connections import connect, conninfo
from trading.ledger.export_files import write_table
from trading.ledger.exports import TABLES, Scope, Table
from trading.ledger_room.queries import Wanted, totals
from trading.trail.api import in_utc

router = Router(tags=["trading"])

#: Of one answer, since the web server takes what it is given into memory, however slowly the other side reads.
MOST_ROWS: Final = 100_000

Name = Literal["runs", "orders", "fills", "positions", "equity_points", "risk_events", "events"]
First = Annotated[datetime | None, Query(alias="from", description="the first moment; UTC unless it says otherwise")]
After = Annotated[datetime | None, Query(alias="to", description="the first moment after it")]


class Chosen(Schema):
    """The filters of the ledger's page; what is left out chooses all, and a table passes over what it has no column
    of."""

    search: str = Field("", max_length=120, description="the beginning of a run's id, or part of its name")
    account: Literal["", "live", "paper", "synthetic", "backtest"] = Field("", description="a kind of account")
    symbol: str = Field("", max_length=50)
    side: Literal["", "buy", "sell"] = ""
    status: str = Field("", max_length=20, description="the state of an order")
    kind: str = Field("", max_length=40, description="the kind of an event")

    def wanted(self, run: UUID | None = None, **days: date | None) -> Wanted:
        filters = self.dict(exclude={"search"})
        return Wanted(run=self.search if run is None else str(run), **filters, **days)


@router.get("/ledger/export", auth=require("read"))
def export_table(
    request: HttpRequest,
    chosen: Query[Chosen],
    table: Name = "fills",
    run: UUID | None = None,
    since: First = None,
    until: After = None,
    format: Literal["csv", "parquet"] = "csv",
) -> HttpResponseBase:
    """One table as CSV or Parquet, of one run or of all, by the filters of the ledger's page; at most 100,000 rows:
    `alphaswarm ledger export` writes any number."""
    if run is not None:
        run_of(run)
    scope = replace(chosen.wanted(run).scope(), since=in_utc(since), until=in_utc(until))
    if scope.since is not None and scope.until is not None and scope.since >= scope.until:
        raise invalid([{"field": "from", "message": "is not before `to`"}])
    _check_size(TABLES[table], scope)
    name = f"{table}-{run}.{format}" if run else f"{table}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    if format == "csv":
        blocks = _blocks(TABLES[table], scope)
        return StreamingHttpResponse(blocks, content_type="text/csv; charset=utf-8", headers=headers)
    with TemporaryDirectory() as folder:
        data = write_table(table, Path(folder), format, scope, MOST_ROWS).read_bytes()
    return HttpResponse(data, content_type="application/vnd.apache.parquet", headers=headers)


@router.get("/ledger/totals", auth=require("read"))
def table_totals(
    request: HttpRequest,
    chosen: Query[Chosen],
    table: Literal["orders", "fills", "events"] = "fills",
    run: UUID | None = None,
    since: Annotated[date | None, Query(description="the first day, UTC")] = None,
    until: Annotated[date | None, Query(description="the last day, UTC")] = None,
) -> dict[str, Any]:
    """What the rows come to, by kind of account: money of different kinds is never added up, and nothing is where there
    are more than 10,000 rows (``more``)."""
    if run is not None:
        run_of(run)
    return totals(table, chosen.wanted(run, since=since, until=until))


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
