"""`alphaswarm restore FILE`: a backup takes the place of the database in use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.backups import restoring
from alphaswarm_site.backups.databases import ToolFailed
from alphaswarm_site.commands import BadInput, CommandFailed, Document, ProductCommand, Refused
from trading.engine.errors import InvalidValue


class Command(ProductCommand):
    help = "Let a backup take the place of the database in use; the kill switch is engaged afterwards."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what `alphaswarm backup` has written")
        parser.add_argument("--reason", default="", help="why newer facts and runs under way may be lost")

    def answer(self, file: Path, reason: str, **options: Any) -> Document:
        try:
            return restoring.restore(file, reason, principal=cli_principal(), report=self.progress)
        except InvalidValue as error:
            raise BadInput(str(error), "invalid") from error
        except restoring.Refused as error:
            raise Refused(str(error), "newer_facts", **asdict(error.lost)) from error
        except restoring.Differs as error:
            raise CommandFailed(str(error), "ledger_differs", **error.report.as_dict()) from error
        except ToolFailed as error:
            raise CommandFailed(str(error), "restore_failed") from error

    def show(self, document: Document) -> None:
        self.stdout.write(
            f"Restored {document['runs']:,} runs with {document['events']:,} events; {document['interrupted']:,} were"
            f" under way and are interrupted.\nThe kill switch is engaged (epoch {document['kill_epoch']}).\n"
            f"The database before is kept as {document['kept_as']}."
        )
