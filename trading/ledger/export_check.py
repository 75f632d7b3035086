"""Is an exported copy what was taken out of the ledger? Its files, its rows, and the chain of its events."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pyarrow.parquet as pq

from trading.connections import connect
from trading.engine.errors import InvalidValue
from trading.ledger.events import canonical, chain, decode
from trading.ledger.export_files import MANIFEST, digest
from trading.ledger.exports import EVENTS
from trading.ledger.verification import Difference, Progress, Report

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PROGRESS_EVERY: Final = 5_000
_HERE: Final = """
    SELECT said.run_id, said.seq, said.hash, encode(e.hash, 'hex')
      FROM unnest(%s::uuid[], %s::bigint[], %s::text[]) AS said(run_id, seq, hash)
      JOIN ledger_events e ON e.run_id = said.run_id AND e.seq = said.seq WHERE encode(e.hash, 'hex') <> said.hash
"""


def verify_export(folder: Path, progress: Progress | None = None) -> Report:
    """Check a copy by its manifest, and by this ledger where it has the same runs.

    Raises `InvalidValue` where the folder holds no copy.
    """
    started = time.perf_counter()
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        check = _Check(folder, manifest, progress)
        report = check.report()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidValue(f"{folder} holds no readable copy of the ledger: {type(error).__name__}: {error}") from error
    report.seconds = time.perf_counter() - started
    return report


class _Check:
    def __init__(self, folder: Path, manifest: dict[str, Any], progress: Progress | None) -> None:
        self._folder = folder
        self._manifest = manifest
        self._progress = progress
        self._report = Report()

    def report(self) -> Report:
        for table, said in self._manifest["tables"].items():
            self._compare_file(table, said)
        self._follow_chains()
        self._compare_with_ledger()
        return self._report

    def _add(self, check: str, run_id: str, table: str, row: str, column: str, expected: object, found: object) -> None:
        if expected != found:
            right, wrong = (None if value is None else str(value) for value in (expected, found))
            self._report.add(Difference(check, run_id, table, row, column, right, wrong))

    def _compare_file(self, table: str, said: dict[str, Any]) -> None:
        path = self._folder / said["file"]
        found = digest(path) if path.is_file() else None
        self._add("file", "", table, said["file"], "sha256", said["sha256"], found)

    def _follow_chains(self) -> None:
        stretches = {each["run_id"]: each for each in self._manifest["stretches"]}
        said = self._manifest["tables"][EVENTS.name]
        path = self._folder / said["file"]
        tails: dict[str, tuple[int, str]] = {}
        for row in _rows(path) if path.is_file() else ():
            run_id, seq = row["run_id"], int(row["seq"])
            stretch = stretches.get(run_id)
            before, previous = tails.get(run_id) or (
                (stretch["first"] - 1, stretch["previous_hash"]) if stretch else (0, "")
            )
            self._add("chain", run_id, EVENTS.name, f"#{seq}", "seq", before + 1, seq)
            self._add("chain", run_id, EVENTS.name, f"#{seq}", "hash", _link(previous, row), row["hash"])
            tails[run_id] = (seq, row["hash"])
            self._report.events += 1
            if self._progress is not None and not self._report.events % _PROGRESS_EVERY:
                self._progress(self._report.events, said["rows"])
        for run_id, stretch in stretches.items():
            tail = tails.get(run_id, (0, ""))
            self._add("chain", run_id, EVENTS.name, "its last", "seq", stretch["last"], tail[0])
            self._add("chain", run_id, EVENTS.name, "its last", "hash", stretch["hash"], tail[1])
        self._add("file", "", EVENTS.name, said["file"], "rows", said["rows"], self._report.events)
        self._report.runs = len(stretches)

    def _compare_with_ledger(self) -> None:
        stretches = self._manifest["stretches"]
        columns = [[each[name] for each in stretches] for name in ("run_id", "last", "hash")]
        with connect() as database:
            for run_id, seq, said, here in database.execute(_HERE, columns):
                self._add("ledger", str(run_id), "ledger_events", f"#{seq}", "hash", here, said)


def _link(previous: str, row: dict[str, Any]) -> str:
    payload = decode(row["payload"])
    recorded_at = (row["recorded_at"] - _EPOCH) // _MICROSECOND
    text = canonical(payload)
    run_id, seq = UUID(row["run_id"]), int(row["seq"])
    return chain(bytes.fromhex(previous), run_id, seq, row["kind"], payload["time"], recorded_at, text).hex()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a copy, one at a time."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PROGRESS_EVERY):
                yield from batch.to_pylist()
        return
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {**row, "recorded_at": datetime.fromisoformat(row["recorded_at"])}
