"""`alphaswarm ledger verify [RUN_ID]`: is the ledger what was written?"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from trading import ledger


class Command(ProductCommand):
    help = "Check the ledger: its chain, its anchors, its tables and its money."

    def add_arguments(self, parser: CommandParser) -> None:
        verify = self.verb(parser, "verify", self.verify, "Check all runs, or one; exit code 1 where anything differs.")
        verify.add_argument("run_id", nargs="?", type=UUID, metavar="RUN_ID")

    def verify(self, run_id: UUID | None = None, **options: Any) -> dict[str, Any]:
        try:
            report = ledger.verify(run_id, self._tell)
        except LookupError as error:
            raise BadInput(str(error), "unknown_run") from error
        document = report.as_dict()
        if report.ok:
            return document
        if not self.json:
            self.show(document)
        raise CommandFailed(f"{report.num_differences:,} differences", "ledger_differs", **document)

    def _tell(self, done: int, total: int) -> None:
        self.progress(f"{done:,} of {total:,} events")

    def show(self, document: dict[str, Any]) -> None:
        for found in document["differences"]:
            self.stdout.write(str(ledger.Difference(**found)))
        unlisted = document["num_differences"] - len(document["differences"])
        if unlisted:
            self.stdout.write(f"... and {unlisted:,} more")
        verdict = "ok" if document["ok"] else "NOT ok"
        self.stdout.write(
            f"{verdict}: {document['runs']:,} runs, {document['events']:,} events, {document['anchors']:,} anchors"
            f" in {document['seconds']:.1f} s"
        )
        if document["last_anchor"]:
            self.stdout.write(f"last anchor: {document['last_anchor']}")
