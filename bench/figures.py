"""What a measurement prints: one table, or with --json one document."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Figure:
    """What was measured, and its tries. ``p99`` of fewer than a hundred tries is the highest."""

    name: str
    unit: str
    tries: int
    median: float
    p99: float
    low: float
    high: float


@dataclass
class Figures:
    """The figures of one script, with the machine and how loaded it was when they began."""

    script: str
    as_json: bool
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    python: str = field(default_factory=platform.python_version)
    cores: int = field(default_factory=lambda: os.cpu_count() or 0)
    commit: str = field(default_factory=lambda: _commit())
    load: tuple[float, float, float] = field(default_factory=os.getloadavg)
    rows: list[Figure] = field(default_factory=list)

    def add(self, name: str, unit: str, tries: Sequence[float]) -> None:
        if not tries:
            raise ValueError(f"{name}: nothing was measured")
        ordered = sorted(tries)
        highest = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        self.rows.append(Figure(name, unit, len(ordered), statistics.median(ordered), highest, ordered[0], ordered[-1]))

    def show(self) -> None:
        if self.as_json:
            document = {key: value for key, value in asdict(self).items() if key != "as_json"}
            print(json.dumps(document))
            return
        load = ", ".join(f"{one:.1f}" for one in self.load)
        print(f"{self.script}: {self.date}, {self.cores} cores, load {load}, Python {self.python}, {self.commit}")
        width = max(len(row.name) for row in self.rows)
        print(f"{'':{width}}  {'tries':>6} {'median':>10} {'p99':>10} {'low':>10} {'high':>10}")
        for row in self.rows:
            figures = " ".join(f"{value:>10,.1f}" for value in (row.median, row.p99, row.low, row.high))
            print(f"{row.name:{width}}  {row.tries:>6} {figures}  {row.unit}")


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="one JSON document")
    return made


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"
