"""`alphaswarm sweep run | status | list | cancel | backtest`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from trading import host, recipes, runner
from trading.management.progress import Progress
from trading.management.running import answer_of, told_errors
from trading.sweeps import actions, queries
from trading.sweeps.models import Sweep
from trading.sweeps.processes import run_here
from trading.sweeps.text import best_lines, luck_sentence, read_domain


class Command(ProductCommand):
    help = "Try a recipe with many parameters, and say how much of the best one is luck."

    def add_arguments(self, parser: CommandParser) -> None:
        self._add_run(self.verb(parser, "run", self.run, "Run a sweep here on all cores, or hand it to the workers."))
        status = self.verb(parser, "status", self.status, "Say how far a sweep is and what it has found.")
        status.add_argument("sweep_id")
        self.verb(parser, "list", self.list, "List the newest sweeps.")
        cancel = self.verb(parser, "cancel", self.cancel, "End a sweep; what is done stays.")
        cancel.add_argument("sweep_id")
        promote = self.verb(parser, "backtest", self.backtest, "Run one trial again as a full backtest, with a ledger.")
        promote.add_argument("sweep_id")
        promote.add_argument("number", type=int, help="the trial's number")

    def _add_run(self, run: CommandParser) -> None:
        run.add_argument("--config", required=True, help="a recipe's file, or its name in configs/paper")
        run.add_argument("--data", help="bars from this CSV or Parquet file instead of the recipe's feed")
        run.add_argument(
            "--grid",
            action="append",
            required=True,
            metavar="NAME=VALUES",
            help="fast=5,10,20 or fast=5:50:5; repeat it",
        )
        run.add_argument("--random", type=int, metavar="N", help="draw N combinations instead of trying all")
        run.add_argument("--seed", type=int, default=0, help="of the random draw; the same gives the same trials")
        run.add_argument("--where", action="append", default=[], metavar="CONDITION", help="such as 'fast < slow'")
        run.add_argument("--objective", default="sharpe", help="sharpe (default), sortino, calmar or total_return")
        run.add_argument(
            "--walk-forward", type=int, metavar="FOLDS", help="choose by the past and test on what follows"
        )
        run.add_argument("--anchored", action="store_true", help="training windows grow instead of rolling")
        run.add_argument("--celery", action="store_true", help="leave it to the workers and return")
        run.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="without --celery; one per core")

    def run(self, config: str, data: str | None, celery: bool, processes: int, **options: Any) -> dict[str, Any] | None:
        if processes < 1:
            raise BadInput("--processes must be at least 1")
        with told_errors():
            recipe = runner.read_recipe(config)
            if data:
                recipe = recipes.with_feed(recipe, "ReplayFeed", {"path": str(Path(data).resolve()), "speed": "max"})
            spec, me = _spec(**options), cli_principal()
            sweep = actions.start_sweep(recipe, spec, principal=me, enqueue=celery, thorough=True)
        if celery:
            return {"task_id": sweep.task_id, "sweep_id": str(sweep.id), "trials": sweep.trial_count}
        self.progress(f"sweep {sweep.id}  {sweep.name}  {sweep.trial_count} trials on {processes} processes")
        self._work(sweep, processes)
        sweep.refresh_from_db()
        self.emit(queries.sweep_detail(sweep))
        if sweep.status != "completed":
            raise SystemExit(1)
        return None

    def _work(self, sweep: Sweep, processes: int) -> None:
        line = _Line()

        def look() -> bool:
            row = queries.sweep_row(Sweep.objects.get(pk=sweep.pk))
            line.show(row)
            return bool(row["active"])

        try:
            run_here(sweep.id, min(processes, sweep.trial_count), look)
        except KeyboardInterrupt:
            actions.cancel_sweep(sweep, principal=cli_principal())
        except RuntimeError as error:
            raise CommandFailed(f"{error}; the workers of a running stack take them") from error
        finally:
            line.close()

    def status(self, sweep_id: str, **options: Any) -> dict[str, Any]:
        return queries.sweep_detail(_find(sweep_id))

    def list(self, **options: Any) -> dict[str, Any]:
        return queries.sweeps()

    def cancel(self, sweep_id: str, **options: Any) -> dict[str, Any]:
        return queries.sweep_row(actions.cancel_sweep(_find(sweep_id), principal=cli_principal()))

    def backtest(self, sweep_id: str, number: int, **options: Any) -> None:
        trial = queries.trial(_find(sweep_id).id, number)
        if trial is None:
            raise BadInput(f"this sweep has no trial {number}")
        progress = Progress(getattr(self.stderr, "_out", None))
        with told_errors():
            run = actions.promote_trial(trial, principal=cli_principal(), enqueue=False)
            summary = host.run_backtest(run.id, observer=progress)
        progress.close()
        answer_of(summary, self.emit)

    def show(self, document: Any) -> None:
        if "items" in document:
            for row in document["items"]:
                tried = f"{row['done']}/{row['trials']}"
                self.stdout.write(f"{row['id']}  {row['status']:<10} {tried:>12}  {row['name']}")
            if not document["items"]:
                self.stdout.write(
                    "No sweep yet. Start one: alphaswarm sweep run --config sim_sma_cross --grid fast=5,10"
                )
            return
        if "luck" not in document:
            super().show(document)
            return
        reason = f": {document['reason']}" if document["reason"] else ""
        self.stdout.write(f"{document['name']}  {document['status']}{reason}  sweep {document['id']}")
        for line in best_lines(document):
            self.stdout.write(line)
        self.stdout.write(luck_sentence(document["luck"]))


class _Line:
    """How far it is, on standard error: a line that moves on a terminal, one now and then in a pipe."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()
        self._next = 0.0

    def show(self, row: dict[str, Any]) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (0.2 if self._moves else 5.0)
        left = "" if row["seconds_left"] is None else f"  about {row['seconds_left']:,.0f} s left"
        text = f"{row['done']:,} of {row['trials']:,} trials{left}"
        sys.stderr.write(f"\r\033[K{text}" if self._moves else f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        if self._moves:
            sys.stderr.write("\r\033[K")


def _find(sweep_id: str) -> Sweep:
    found = queries.find(sweep_id)
    if found is None:
        raise BadInput(f"there is no sweep {sweep_id}; `alphaswarm sweep list` names them")
    return found


def _spec(
    grid: list[str],
    random: int | None,
    seed: int,
    where: list[str],
    objective: str,
    walk_forward: int | None,
    anchored: bool,
    **options: Any,
) -> dict[str, Any]:
    spec: dict[str, Any] = {"parameters": {}, "seed": seed, "where": where, "objective": objective}
    for text in grid:
        name, equals, values = text.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"--grid {text}: write a parameter and its values, such as fast=5,10,20")
        spec["parameters"][name.strip()] = read_domain(values)
    if random is not None:
        spec |= {"search": "random", "trials": random}
    if walk_forward is not None:
        spec["walk_forward"] = {"folds": walk_forward, "anchored": anchored}
    elif anchored:
        raise BadInput("--anchored needs --walk-forward FOLDS")
    return spec
