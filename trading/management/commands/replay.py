"""`alphaswarm replay RUN_ID`: does a recorded run give the same again?"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from trading import queries
from trading.management.running import told_errors
from trading.replay import replay


class Command(ProductCommand):
    help = "Run a recorded run again from its own bars and show the first difference; exit code 1 where there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_id", type=UUID, metavar="RUN_ID")

    def answer(self, run_id: UUID, **options: Any) -> dict[str, Any]:
        run = queries.run(run_id)
        if run is None:
            raise BadInput(f"there is no run {run_id}", "unknown_run")
        with told_errors():
            report = replay(run)
        document = report.as_dict()
        if report.difference is None:
            return document
        if not self.json:
            self.show(document)
        raise CommandFailed(report.difference.sentence, "replay_differs", **document)

    def show(self, document: Any) -> None:
        verdict = "the same again" if document["same"] else "NOT the same"
        self.stdout.write(
            f"{document['name']}: {verdict}, {document['facts']:,} facts over {document['bars']:,} bars"
            f" in {document['seconds']:.1f} s"
        )
        if document["note"]:
            self.stdout.write(document["note"])
        if document["difference"] is not None:
            self._show_difference(document["difference"])

    def _show_difference(self, found: dict[str, Any]) -> None:
        """Both facts side by side, what differs marked."""
        recorded, replayed = found["recorded"] or {}, found["replayed"] or {}
        names = [*recorded, *(name for name in replayed if name not in recorded)]
        rows = [(name, _text(recorded.get(name)), _text(replayed.get(name))) for name in names]
        rows.insert(0, ("", "recorded", "replayed"))
        wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for name, left, right in rows:
            mark = "≠" if name and left != right else " "
            self.stdout.write(f"{mark} {name:<{wide[0]}}  {left:<{wide[1]}}  {right}".rstrip())


def _text(value: Any) -> str:
    return "" if value is None else str(value)
