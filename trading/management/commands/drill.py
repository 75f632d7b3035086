"""`alphaswarm drill run | list`: is stopping still as fast as it was?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from trading.engine.errors import InvalidValue
from trading.guard import drills
from trading.guard.drills import DrillUnderWay


class Command(ProductCommand):
    help = "Start a few sessions on the simulated venue, halt them, and keep how long that took."

    def add_arguments(self, parser: CommandParser) -> None:
        run = self.verb(parser, "run", self.run_one, "Run one now, with the workers of the stack that is up.")
        run.add_argument("--sessions", type=int, default=drills.SESSIONS)
        self.verb(parser, "list", self.list, "The last drills, newest first.")

    def run_one(self, sessions: int, **options: Any) -> dict[str, Any]:
        try:
            drill = drills.row_of(drills.run_drill(cli_principal(), sessions))
        except InvalidValue as error:
            raise BadInput(str(error), field="sessions") from error
        except DrillUnderWay as error:
            raise CommandFailed(str(error), "drill_under_way") from error
        if not drill["confirmed"]:
            raise CommandFailed(drill["detail"], "not_confirmed", drill=drill)
        return drill

    def list(self, **options: Any) -> dict[str, Any]:
        return {"items": [drills.row_of(drill) for drill in drills.last_drills()], "next": None}

    def show(self, document: Mapping[str, Any]) -> None:
        for drill in document.get("items", [document]):
            outcome = "confirmed" if drill["confirmed"] else f"NOT confirmed: {drill['detail']}"
            figures = [
                f"{name.removesuffix('_ms').replace('_', ' ')} {drill[name]} ms" for name in drill if "_ms" in name
            ]
            began = f"{drill['started_at']}, {drill['sessions']} sessions, {drill['orders']} orders"
            self.stdout.write(f"{began}: {', '.join(figures)}; {outcome}")
