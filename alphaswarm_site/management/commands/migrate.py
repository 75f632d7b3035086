"""`alphaswarm migrate`: Django's own, but for this: nothing is changed under runs that are owned."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate

from access import audit
from access.principals import cli_principal
from alphaswarm_site.stack import schema


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--despite-runs", metavar="REASON", help="change the database under active runs; the reason is kept"
        )

    def handle(self, *args: Any, despite_runs: str | None = None, **options: Any) -> None:
        looks = options.get("plan") or options.get("check_unapplied")
        changes = not looks and bool(options.get("app_label") or schema.pending())
        held = schema.refusal() if changes else ""
        if held and not (despite_runs or "").strip():
            raise CommandError(f"{held}, or say why all the same: --despite-runs REASON")
        super().handle(*args, **options)
        if held:
            audit.record(cli_principal(), "database.migrate", "database", reason=despite_runs, held=held)
