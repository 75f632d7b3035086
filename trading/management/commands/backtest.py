"""`alphaswarm backtest run | list | show | report | cancel`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from trading import actions, host, queries, recipes, rows, runner
from trading.management.progress import Progress
from trading.management.running import answer_of, draining_on_signals, told_errors, wait_for_end
from trading.metrics import scaled_from_bars
from trading.models import Mode, Run
from trading.tearsheet import report

SHOWN = 20


class Command(ProductCommand):
    help = "Run a recipe over recorded or made-up bars, and look at what it came to."

    def add_arguments(self, parser: CommandParser) -> None:
        run = self.verb(parser, "run", self.run, "Run a backtest and print what it came to; Ctrl-C stops it.")
        run.add_argument("--config", required=True, help="a recipe's file, or its name in configs/paper")
        run.add_argument("--data", help="bars from this CSV or Parquet file, or folder of them, not the recipe's feed")
        run.add_argument("--celery", action="store_true", help="hand it to the workers and return; the shell may exit")
        listing = self.verb(parser, "list", self.listed, "List backtests, newest first.")
        listing.add_argument("--after", metavar="CURSOR", help="the `next` of the list before")
        show = self.verb(parser, "show", self.one, "Show one backtest: its state and its figures.")
        show.add_argument("run_id", type=UUID, metavar="RUN_ID")
        report = self.verb(parser, "report", self.report, "Write the tear sheet of a run to one HTML file.")
        report.add_argument("run_id", type=UUID, metavar="RUN_ID")
        report.add_argument("--output", metavar="FILE", type=Path, help="by default NAME-RUN.html in this folder")
        cancel = self.verb(parser, "cancel", self.cancel, "Stop a backtest, wherever it runs or waits.")
        cancel.add_argument("run_id", type=UUID, metavar="RUN_ID")

    def run(self, config: str, data: str | None, celery: bool, **options: Any) -> dict[str, Any] | None:
        progress = Progress(getattr(self.stderr, "_out", None))
        with told_errors():
            recipe = runner.read_recipe(config)
            if data:
                recipe = recipes.with_feed(recipe, "ReplayFeed", {"path": str(Path(data).resolve()), "speed": "max"})
            run = actions.start_backtest(recipe, principal=cli_principal(), enqueue=celery, thorough=True)
            if celery:
                return {"task_id": run.task_id, "run_id": str(run.id)}
            with draining_on_signals():
                summary = host.run_backtest(run.id, observer=progress)
        progress.close()
        if summary is not None and scaled_from_bars(summary.metrics):
            self.progress("fewer than three days: sharpe is scaled to a year from single bars, and says little")
        answer_of(summary, self.emit)
        return None

    def listed(self, after: str | None, **options: Any) -> dict[str, Any]:
        with told_errors():
            return queries.runs(queries.RunFilter(mode=Mode.BACKTEST), after, SHOWN)

    def one(self, run_id: UUID, **options: Any) -> dict[str, Any]:
        return rows.run_detail(self._find(run_id))

    def report(self, run_id: UUID, output: Path | None, **options: Any) -> dict[str, Any]:
        run = queries.run(run_id)
        if run is None:
            raise BadInput(f"there is no run {run_id}; `alphaswarm backtest list` lists them", "unknown_run")
        target = output or Path(report.file_name(run))
        try:
            target.write_text(report.report(run), encoding="utf-8")
        except report.NoFigures as error:
            raise BadInput(str(error), "no_figures") from error
        except OSError as error:
            raise BadInput(f"{target}: cannot be written: {error.strerror}", "not_written") from error
        return {"run_id": str(run.id), "file": str(target.resolve())}

    def cancel(self, run_id: UUID, **options: Any) -> dict[str, Any]:
        run = actions.stop(self._find(run_id), principal=cli_principal())
        if not wait_for_end([run.pk]):
            self.progress("it has not ended yet; look again with `alphaswarm backtest show`")
        return rows.run_row(self._find(run_id))

    def show(self, document: Any) -> None:
        if "items" in document:
            self._show_list(document)
            return
        super().show({name: value for name, value in document.items() if not isinstance(value, dict)})

    def _show_list(self, document: Any) -> None:
        if not document["items"]:
            self.stdout.write("No backtest yet. Run one: alphaswarm backtest run --config demo")
        for row in document["items"]:
            sharpe = "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}"
            self.stdout.write(
                f"{row['id']}  {row['status']:<10} {row['created_at'][:16]}  sharpe {sharpe:>6}"
                f"  P&L {row['total_pnl'] or '-':>12}  {row['name']}"
            )
        if document["next"]:
            self.stdout.write(f"more: alphaswarm backtest list --after {document['next']}")

    def _find(self, run_id: UUID) -> Run:
        run = queries.run(run_id)
        if run is None or run.mode != Mode.BACKTEST:
            raise BadInput(f"there is no backtest {run_id}; `alphaswarm backtest list` lists them", "unknown_run")
        return run
