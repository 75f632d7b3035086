"""A copy of the ledger in files: one per table, and a manifest by which the copy can be checked.

All of it is one moment of the database. Rows pass through in blocks, so that memory does not grow with the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.rows import tuple_row

from trading.connections import connect
from trading.engine.errors import InvalidValue
from trading.ledger.exports import FIGURE, INTEGER, STRETCHES, TABLES, TIME, TRUTH, Scope, Table

#: Called now and then with how many rows are written, and how many there are about.
Progress = Callable[[int, int], None]

FORMATS: Final = ("parquet", "csv")
MANIFEST: Final = "manifest.json"
_ROWS_AT_A_TIME: Final = 20_000
_BLOCK: Final = 1 << 20

#: Where every figure of a column fits, it is a decimal of 38 digits, 18 of them after the point; else it is text.
_DECIMAL: Final = pa.decimal128(38, 18)
_FITS: Final = 'coalesce(bool_and(scale(trim_scale("{0}")) <= 18 AND abs("{0}") < 1e20), true)'
_ARROW: Final = {INTEGER: pa.int64(), TIME: pa.timestamp("us", "UTC"), TRUTH: pa.bool_()}
_STRETCHES: Final = f"""
    SELECT s.run_id::text, s.first, encode(coalesce(p.hash, decode(repeat('00', 32), 'hex')), 'hex'), s.last,
           encode(l.hash, 'hex')
      FROM {STRETCHES} s
      JOIN ledger_events l ON l.run_id = s.run_id AND l.seq = s.last
      LEFT JOIN ledger_events p ON p.run_id = s.run_id AND p.seq = s.first - 1 ORDER BY 1
"""
_LAST_ANCHOR: Final = "SELECT id, encode(hash, 'hex') FROM ledger_anchors ORDER BY id DESC LIMIT 1"


def export(folder: Path, form: str, scope: Scope, progress: Progress | None = None) -> dict[str, Any]:
    """Write the copy and return its manifest. ``form`` is one of `FORMATS`.

    The folder appears whole or not at all. Raises `InvalidValue` where it is there already and not empty, and
    LookupError for a run that is not there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidValue(f"{folder} is there already: name a new folder, or an empty one")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    draft.mkdir(parents=True, mode=0o700)
    try:
        with connect() as database:
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            manifest = _Copy(database, draft, form, scope, progress).manifest()
            database.rollback()
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def write_table(name: str, folder: Path, form: str, scope: Scope, most: int) -> Path:
    """One table, as a file in ``folder``. Raises `InvalidValue` where it has more than ``most`` rows."""
    with connect() as database:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        path = _Copy(database, folder, form, scope, None).single(TABLES[name], most)
        database.rollback()
    return path


class _Copy:
    def __init__(
        self, database: psycopg.Connection[Any], folder: Path, form: str, scope: Scope, progress: Progress | None
    ) -> None:
        self._database = database
        self._folder = folder
        self._form = form
        self._scope = scope
        self._progress = progress
        self._total = 0
        self._done = 0

    def manifest(self) -> dict[str, Any]:
        with psycopg.ClientCursor(self._database, row_factory=tuple_row) as cursor:
            runs = self._check_runs(cursor)
            rows = {table.name: self._count(cursor, table) for table in TABLES.values()}
            self._total = sum(rows.values())
            return {
                "ledger": 1,
                "format": self._form,
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "runs": runs,
                "from": _iso(self._scope.since),
                "to": _iso(self._scope.until),
                "tables": {name: self._write(cursor, TABLES[name], count) for name, count in rows.items()},
                "stretches": self._stretches(cursor),
                "last_anchor": self._last_anchor(cursor),
            }

    def single(self, table: Table, most: int) -> Path:
        with psycopg.ClientCursor(self._database, row_factory=tuple_row) as cursor:
            limited = (
                f"SELECT count(*) FROM (SELECT FROM {table.source} WHERE {table.condition} LIMIT {most + 1}) found"
            )
            row = cursor.execute(limited, self._scope.parameters).fetchone()
            if row and row[0] > most:
                raise InvalidValue(f"more than {most:,} rows: choose one run or fewer days, or use the command line")
            return self._folder / str(self._write(cursor, table, most)["file"])

    def _check_runs(self, cursor: psycopg.Cursor[Any]) -> list[str] | None:
        if self._scope.runs is None:
            return None
        found = {row[0] for row in cursor.execute("SELECT id FROM runs WHERE id = ANY(%s)", [self._scope.runs])}
        for run in self._scope.runs:
            if run not in found:
                raise LookupError(f"there is no run {run}")
        return [str(run) for run in self._scope.runs]

    def _count(self, cursor: psycopg.Cursor[Any], table: Table) -> int:
        query = f"SELECT count(*) FROM {table.source} WHERE {table.condition}"
        row = cursor.execute(query, self._scope.parameters).fetchone()
        return int(row[0]) if row else 0

    def _write(self, cursor: psycopg.Cursor[Any], table: Table, rows: int) -> dict[str, Any]:
        path = self._folder / f"{table.name}.{self._form}"
        before = self._done
        columns = self._write_csv(cursor, table, path) if self._form == "csv" else self._write_parquet(table, path)
        self._tell(before + rows)
        size, sha256 = path.stat().st_size, digest(path)
        return {"file": path.name, "rows": rows, "bytes": size, "sha256": sha256, "columns": columns}

    def _write_csv(self, cursor: psycopg.Cursor[Any], table: Table, path: Path) -> dict[str, str]:
        before = self._done
        with path.open("wb") as file, cursor.copy(table.csv, self._scope.parameters) as copy:
            for number, row in enumerate(copy):
                file.write(row)
                if not number % _ROWS_AT_A_TIME:
                    self._tell(before + number)
        return dict(table.columns)

    def _write_parquet(self, table: Table, path: Path) -> dict[str, str]:
        before = self._done
        schema = self._schema(table)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for number, batch in enumerate(self._batches(table, schema)):
                writer.write_batch(batch)
                self._tell(before + (number + 1) * _ROWS_AT_A_TIME)
        return {field.name: str(field.type) for field in schema}

    def _schema(self, table: Table) -> pa.Schema:
        figures = [name for name, kind in table.columns.items() if kind == FIGURE]
        fits: dict[str, bool] = {}
        if figures:
            asked = ", ".join(_FITS.format(name) for name in figures)
            with psycopg.ClientCursor(self._database) as cursor:
                query = f"SELECT {asked} FROM {table.source} WHERE {table.condition}"
                row = cursor.execute(query, self._scope.parameters).fetchone()
            fits = dict(zip(figures, row or (), strict=True))
        kinds = {**_ARROW, FIGURE: _DECIMAL}
        return pa.schema(
            (name, kinds[kind] if kind in kinds and fits.get(name, True) else pa.string())
            for name, kind in table.columns.items()
        )

    def _batches(self, table: Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with psycopg.ServerCursor(self._database, "export") as rows:
            rows.execute(table.typed, self._scope.parameters)
            while block := rows.fetchmany(_ROWS_AT_A_TIME):
                columns = [
                    pa.array([_text(one) for one in column], pa.string())
                    if field.type == pa.string()
                    else pa.array(column, field.type)
                    for field, column in zip(schema, zip(*block, strict=True), strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _stretches(self, cursor: psycopg.Cursor[Any]) -> list[dict[str, Any]]:
        names = ("run_id", "first", "previous_hash", "last", "hash")
        found = cursor.execute(_STRETCHES, self._scope.parameters)
        return [dict(zip(names, row, strict=True)) for row in found]

    def _last_anchor(self, cursor: psycopg.Cursor[Any]) -> dict[str, Any] | None:
        row = cursor.execute(_LAST_ANCHOR).fetchone()
        return {"id": row[0], "hash": row[1]} if row else None

    def _tell(self, done: int) -> None:
        self._done = done
        if self._progress is not None:
            self._progress(done, self._total)


def _text(value: str | Decimal | None) -> str | None:
    return f"{value:f}" if isinstance(value, Decimal) else value


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
