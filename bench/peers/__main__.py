"""The backtester beside others: `python -m bench.peers`, with `--peers` beside all that can be installed.

Each round takes every workload and every system in turn, each in a process of its own, so that a busy moment of the
machine falls on all of them; the figure is the median of the rounds. A system that does not install, fails or takes
too long is left out, with the reason. The answer is in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import figures
from bench.peers import environments
from bench.peers.client import MARK
from bench.peers.environments import ROOT, SYSTEMS, System
from bench.peers.workloads import CASES, Case, Outcome, Work, make_files

SECONDS = 900.0
WARM_UP_BARS = {"one": 3_000, "many": 1_440}
BASIS = "nautilus_trader"
BOUND = "bare loop"


class Skipped(Exception):
    """Why a system has no figure."""


def run(system: System, case: Case, bars: int) -> dict[str, Any]:
    """One run in its own process; what `bench.peers.client` answers."""
    command = [str(environments.python_of(system)), "-m", "bench.peers.client", system.module, case.name]
    command += ["--bars", str(bars), "--variant", system.variant, "--folder", str(bars_folder())]
    environment = {**os.environ, "HOME": str(environments.home()), "PYTHONPATH": ""}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Skipped(f"took more than {SECONDS:.0f} s") from None
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            answer: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return answer
    raise Skipped((done.stderr.strip() or "it answered nothing").splitlines()[-1])


def bars_folder() -> Path:
    return environments.folder() / "bars"


class Comparison:
    """The runs of all systems and cases."""

    def __init__(self, systems: Sequence[System], cases: Sequence[Case]) -> None:
        self.systems = list(systems)
        self.cases = cases
        self.runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.skipped: dict[str, str] = {}

    def install(self) -> None:
        for system in self.systems:
            if not environments.is_installed(system):
                _say(f"installing {system.name} ...")
                reason = environments.install(system)
                if reason:
                    self._skip(system, "", f"not installed: {reason}")

    def round(self, number: int) -> None:
        for case in self.cases:
            for system in list(self.systems):
                if number == 0:
                    self._attempt(system, case, WARM_UP_BARS[case.data])
                    continue
                done = self._attempt(system, case, min(case.bars, system.most))
                if done is not None:
                    self.runs.setdefault((case.name, system.name), []).append(done)
                    _say(f"{number} {case.name} {system.name}: {done['bars'] / done['seconds']:,.0f} bars/s")

    def _attempt(self, system: System, case: Case, bars: int) -> dict[str, Any] | None:
        try:
            return run(system, case, bars)
        except Skipped as why:
            self._skip(system, f"{case.name}: ", str(why))
            return None

    def _skip(self, system: System, where: str, why: str) -> None:
        self.skipped[system.name] = f"{where}{why}"
        self.systems.remove(system)
        _say(f"{system.name} is left out, {where}{why}")

    def show(self) -> None:
        about = figures.Figures("peers", False)
        load = ", ".join(f"{one:.1f}" for one in about.load)
        print(f"{about.date}, {about.cores} cores, load {load}, Python {about.python}, {about.commit}")
        for case in self.cases:
            self._show_case(case)
        for name, why in self.skipped.items():
            print(f"\n{name} was left out, {why}")

    def _show_case(self, case: Case) -> None:
        rows = {name: runs for (of, name), runs in self.runs.items() if of == case.name}
        rates = {name: statistics.median(one["bars"] / one["seconds"] for one in runs) for name, runs in rows.items()}
        print(f"\n**{case.name.upper()}**: {case.title}\n")
        heads = (
            "",
            "version",
            "bars/s",
            "low to high",
            "of nautilus",
            "of the loop",
            "bars",
            "came out",
            "MB",
            "by run",
        )
        print(f"| {' | '.join(heads)} |")
        print("|---" * len(heads) + "|")
        for name, rate in sorted(rates.items(), key=lambda item: -item[1]):
            runs = rows[name]
            each = [one["bars"] / one["seconds"] for one in runs]
            cells = (
                name,
                runs[0]["version"],
                f"{rate:,.0f}",
                f"{min(each):,.0f} to {max(each):,.0f}",
                _ratio(rate, rates.get(BASIS)),
                _ratio(rate, rates.get(BOUND)),
                f"{runs[0]['bars']:,}",
                self._judged(name, case, runs),
                f"{statistics.median(one['peak_mb'] for one in runs):,.0f}",
                f"{statistics.median(one['run_mb'] for one in runs):,.0f}",
            )
            print(f"| {' | '.join(cells)} |")

    def _judged(self, name: str, case: Case, runs: list[dict[str, Any]]) -> str:
        """Whether what came out is what must come out, where this system's orders fill."""
        convention = next(system.fills for system in SYSTEMS if system.name == name)
        wanted = Work(bars_folder(), case, runs[0]["count"]).expected()[convention]
        outcomes = {Outcome(one["fills"], round(one["equity"], 4)) for one in runs}
        if outcomes == {wanted}:
            return f"{wanted.fills:,} fills, equal ({convention})"
        if len(outcomes) > 1:
            return "differ from run to run"
        fills, equity = outcomes.pop()
        return f"{fills:,} fills ({fills - wanted.fills:+}), equity {equity - wanted.equity:+,.2f} ({convention})"


def _ratio(rate: float, basis: float | None) -> str:
    return f"{rate / basis:.2f}" if basis else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    names = [system.module for system in SYSTEMS if not system.variant]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["w1", "w2", "w3"], metavar="CASE")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--peers", action="store_true", help="all systems, installed first where they are not")
    chosen.add_argument("--systems", nargs="+", choices=names, default=["ours", "loop"], metavar="SYSTEM")
    options = parser.parse_args()
    systems = [system for system in SYSTEMS if options.peers or system.module in options.systems]
    make_files(bars_folder())
    comparison = Comparison(systems, [CASES[name] for name in options.cases])
    comparison.install()
    for number in range(options.rounds + 1):
        comparison.round(number)
    comparison.show()


if __name__ == "__main__":
    main()
