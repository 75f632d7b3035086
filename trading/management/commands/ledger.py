"""`alphaswarm ledger verify [RUN_ID]`: is the ledger what was written? `alphaswarm ledger export`: a copy in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from trading import ledger
from trading.engine.errors import InvalidValue
from trading.ledger import export_files
from trading.ledger.export_check import verify_export
from trading.ledger.exports import Scope
from trading.management.counting import Counting


class Command(ProductCommand):
    help = "Check the ledger: its chain, its anchors, its tables and its money; or write a copy of it."

    def add_arguments(self, parser: CommandParser) -> None:
        verify = self.verb(parser, "verify", self.verify, "Check all runs, or one; exit code 1 where anything differs.")
        what = verify.add_mutually_exclusive_group()
        what.add_argument("run_id", nargs="?", type=UUID, metavar="RUN_ID")
        what.add_argument(
            "--since", type=moment, metavar="TIME", help="read only runs again to which anything was written since"
        )
        what.add_argument("--export", type=Path, metavar="DIR", help="check a copy that `ledger export` has made")

        export = self.verb(parser, "export", self.export, "Write a copy of the ledger, or of some runs, into a folder.")
        which = export.add_mutually_exclusive_group(required=True)
        which.add_argument("run_ids", nargs="*", type=UUID, metavar="RUN_ID", default=[])
        which.add_argument("--all", action="store_true", dest="everything", help="all runs")
        export.add_argument("--format", choices=export_files.FORMATS, default="parquet", dest="form")
        export.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder that is not there yet")
        times = "UTC unless it says otherwise; 2026-01-31 or 2026-01-31T14:30:00Z"
        export.add_argument("--from", type=moment, dest="since", metavar="TIME", help=f"the first moment; {times}")
        export.add_argument("--to", type=moment, dest="until", metavar="TIME", help="the first moment after it")

    def verify(
        self,
        run_id: UUID | None = None,
        since: datetime | None = None,
        export: Path | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        with counted("events") as counting:
            report = verify_export(export, counting) if export is not None else ledger.verify(run_id, counting, since)
        document = report.as_dict()
        if report.ok:
            return document
        if not self.json:
            self.show(document)
        raise CommandFailed(f"{report.num_differences:,} differences", "ledger_differs", **document)

    def export(
        self,
        run_ids: list[UUID],
        everything: bool,
        form: str,
        out: Path,
        since: datetime | None,
        until: datetime | None,
        **options: Any,
    ) -> dict[str, Any]:
        if since is not None and until is not None and since >= until:
            raise BadInput(f"--from: {since.isoformat()} is not before --to", "invalid")
        scope = Scope(None if everything else run_ids, since, until)
        with counted("rows") as counting:
            manifest = export_files.export(out, form, scope, counting)
        rows = {name: table["rows"] for name, table in manifest["tables"].items()}
        return {"out": str(out), "format": form, "rows": rows, "last_anchor": manifest["last_anchor"]}

    def show(self, document: Any) -> None:
        if "out" in document:
            rows = ", ".join(f"{count:,} {name}" for name, count in document["rows"].items())
            self.stdout.write(f"{document['out']}: {rows}")
            return
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


def moment(text: str) -> datetime:
    """An ISO 8601 date or time; UTC where it names no zone."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


@contextmanager
def counted(what: str) -> Iterator[Counting]:
    """Progress of what is done inside; what cannot be done is one line."""
    counting = Counting(what)
    try:
        yield counting
    except InvalidValue as error:
        raise BadInput(str(error), "invalid") from error
    except LookupError as error:
        raise BadInput(str(error), "unknown_run") from error
    finally:
        counting.close()
