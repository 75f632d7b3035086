"""`alphaswarm paper run | stop | resume | status`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand, Refused
from trading import actions, host, queries, recipes, rows, runner
from trading.admission import warnings_of
from trading.engine.errors import InvalidValue
from trading.management.progress import Progress
from trading.management.running import answer_of, draining_on_signals, told_errors, wait_for_end
from trading.models import Run


class Command(ProductCommand):
    help = "Run, stop, resume and list paper sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        run = self.verb(parser, "run", self.run, "Run a session here, or hand it to the workers.")
        run.add_argument("--config", required=True, help="a recipe's file, or its name in configs/paper")
        run.add_argument("--celery", action="store_true", help="enqueue it and return; the shell may exit")
        stop = self.verb(parser, "stop", self.stop, "Drain a session gracefully, wherever it runs.")
        stop.add_argument("task_id", nargs="?", help="the task id, or the run id")
        stop.add_argument("--all", action="store_true", help="drain every session")
        resume = self.verb(
            parser, "resume", self.resume, "Let a session go on that was interrupted, or that its rules hold back."
        )
        resume.add_argument("run_id", help="the run id, or the task id")
        resume.add_argument("--reason", required=True, help="why it may go on; kept with the run")
        status = self.verb(parser, "status", self.status, "Say what runs, or what became of one session.")
        status.add_argument("task_id", nargs="?", help="the task id, or the run id")

    def run(self, config: str, celery: bool, **options: Any) -> dict[str, Any] | None:
        with told_errors():
            recipe = runner.read_recipe(config)
            run = actions.start_paper(recipe, principal=cli_principal(), enqueue=celery)
        for warning in warnings_of(run):
            self.progress(warning)
        if celery:
            return {"task_id": run.task_id, "run_id": str(run.id)}
        self.progress(f"run {run.id}  {run.name}  {run.mode} on {run.venue}; Ctrl-C drains it")
        progress = Progress(getattr(self.stderr, "_out", None))
        with told_errors(), draining_on_signals():
            summary = host.run_session(run.id, observer=progress, **recipes.secrets_of(recipe))
        progress.close()
        answer_of(summary, self.emit)
        return None

    def stop(self, task_id: str | None, all: bool, **options: Any) -> dict[str, Any]:
        if all == bool(task_id):
            raise BadInput("name one task id, or --all")
        principal = cli_principal()
        if task_id:
            runs = [actions.stop(self._find(task_id), principal=principal)]
        else:
            runs = actions.stop_all(principal=principal)
        if not wait_for_end([run.pk for run in runs]):
            self.progress("some have not ended yet; look again with `alphaswarm paper status`")
        return {
            "items": [rows.run_row(run) for run in Run.objects.filter(pk__in=[run.pk for run in runs])],
            "next": None,
        }

    def resume(self, run_id: str, reason: str, **options: Any) -> dict[str, Any]:
        try:
            return rows.run_row(actions.resume(self._find(run_id), reason, principal=cli_principal()))
        except InvalidValue as error:
            raise BadInput(str(error), field="reason") from error
        except actions.NotTrading as error:
            raise BadInput(str(error)) from error
        except actions.StartHeld as error:
            raise Refused(str(error), error.code) from error

    def status(self, task_id: str | None, **options: Any) -> dict[str, Any]:
        if task_id:
            return rows.run_row(self._find(task_id))
        active = Run.objects.exclude(status__in=actions.ENDED).order_by("created_at")
        return {"items": [rows.run_row(run) for run in active], "next": None}

    def show(self, document: Any) -> None:
        if "items" not in document:
            super().show(document)
        elif not document["items"]:
            self.stdout.write("No session is running. Start one: alphaswarm paper run --config demo")
        for row in document.get("items", []):
            self.stdout.write(f"{row['task_id']}  {row['status']:<12} {row['mode']:<8} {row['name']}  run {row['id']}")

    def _find(self, task_id: str) -> Run:
        run = queries.find_run(task_id)
        if run is None:
            raise BadInput(f"no run has the task id or the id {task_id}; `alphaswarm paper status` lists them")
        return run
