"""What a stub venue has done, on disk before anybody is told: the witness that a test asks afterwards.

`python -m tests.venues.journal FILE RUN_ID` prints the fills of a run's orders as `psql -At` would: client order id,
quantity and price.
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines, each flushed to the disk before `write` returns; kept in memory alone without a path."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._file = None if path is None else path.open("a", encoding="utf-8")

    def write(self, kind: str, **facts: Any) -> None:
        entry = {"kind": kind, **facts}
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry, default=_plain) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["kind"] == kind]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal's file; a last line that was cut off is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


class Follower:
    """A journal's file while it grows: each look reads only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._entries: list[dict[str, Any]] = []

    def entries(self) -> list[dict[str, Any]]:
        """All entries so far; a last line that is not whole yet comes with the next look."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._entries += map(json.loads, whole.splitlines())
        return self._entries


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a journal cannot keep a {type(value).__name__}")


def fills(path: Path, run_id: str) -> list[str]:
    """A run's fills, a line each. What stands behind a #, the stub of TWS has added to the order's id."""
    begin = run_id.replace("-", "")
    rows = [one for one in read(path) if one["kind"] == "fill" and one["client_order_id"].startswith(begin)]
    return [f"{row['client_order_id'].partition('#')[0]}|{_short(row['qty'])}|{_short(row['price'])}" for row in rows]


def _short(text: str) -> str:
    return f"{Decimal(text).normalize():f}"


if __name__ == "__main__":
    print("\n".join(fills(Path(sys.argv[1]), sys.argv[2])))
