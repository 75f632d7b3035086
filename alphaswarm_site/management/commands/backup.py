"""`alphaswarm backup --out FILE`: all of the database in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.backups.databases import ToolFailed
from alphaswarm_site.backups.making import backup
from alphaswarm_site.commands import BadInput, CommandFailed, Document, ProductCommand
from trading.engine.errors import InvalidValue


class Command(ProductCommand):
    help = "Write all of the database into one file, while everything goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a file that is not there yet")

    def answer(self, out: Path, **options: Any) -> Document:
        try:
            return backup(out, principal=cli_principal())
        except InvalidValue as error:
            raise BadInput(str(error), "invalid") from error
        except ToolFailed as error:
            raise CommandFailed(str(error), "backup_failed") from error

    def show(self, document: Document) -> None:
        self.stdout.write(
            f"{document['file']}: {document['runs']:,} runs, {document['events']:,} events,"
            f" {document['bytes'] / 2**20:,.1f} MB, sha256 {document['sha256']}"
        )
