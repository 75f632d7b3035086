"""`alphaswarm halt account | bot | run | symbol TARGET`, `halt list`, `halt release ID`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from risk import actions, halting, queries
from risk.api import halted
from risk.halting import NoSuchHalt, UnknownTarget
from risk.halts import Scope
from risk.kill_switch import ReasonMissing
from trading.engine.errors import InvalidValue

_HELP = {
    Scope.ACCOUNT: "Halt an account: its sessions end, none starts in it.",
    Scope.BOT: "Halt a bot: its sessions end, none starts of it.",
    Scope.RUN: "Halt one session.",
    Scope.SYMBOL: "Halt a symbol: nothing opens or adds to a position in it.",
}


class Command(ProductCommand):
    help = "Halt an account, a bot, a session or a symbol, list what is halted, or release it."

    def add_arguments(self, parser: CommandParser) -> None:
        for scope in Scope:
            halt = self.verb(parser, scope.value, partial(self.halt, scope), _HELP[scope])
            halt.add_argument("target", help="its name; a session's run id")
            halt.add_argument("--reason", required=True, help="why; kept with the halt")
        self.verb(parser, "list", self.list, "Say what is halted, since when, and why.")
        release = self.verb(parser, "release", self.release, "Release one halt; nothing restarts by itself.")
        release.add_argument("halt_id", type=int, help="its number, see `halt list`")
        release.add_argument("--reason", required=True, help="why; kept with the halt")

    def halt(self, scope: Scope, target: str, reason: str, **options: Any) -> dict[str, Any]:
        try:
            return halted(actions.halt_scope(scope, target, reason, cli_principal()))
        except ReasonMissing as error:
            raise BadInput(str(error), field="reason") from error
        except (UnknownTarget, InvalidValue) as error:
            raise BadInput(str(error), field="target") from error

    def list(self, **options: Any) -> dict[str, Any]:
        return {"items": [queries.halt_row(row) for row in halting.standing()], "next": None}

    def release(self, halt_id: int, reason: str, **options: Any) -> dict[str, Any]:
        try:
            found = queries.what_if(halting.find(halt_id))
            done = actions.release_halt(halt_id, reason, cli_principal())
        except ReasonMissing as error:
            raise BadInput(str(error), field="reason") from error
        except NoSuchHalt as error:
            raise BadInput(str(error), field="halt_id") from error
        return {**queries.halt_row(done.halt), "changed": done.changed, "may_trade_again": found.document()}

    def show(self, document: Mapping[str, Any]) -> None:
        if "may_trade_again" in document:
            self._show_release(document)
        elif "halt" in document:
            self._show_halt(document)
        elif not document["items"]:
            self.stdout.write("nothing is halted")
        else:
            for row in document["items"]:
                line = f"{row['id']}  {row['scope']} {row['target']}  {row['at']:%Y-%m-%d %H:%M} UTC by {row['by']}"
                self.stdout.write(f"{line}: {row['reason']}")

    def _show_halt(self, document: Mapping[str, Any]) -> None:
        halt = document["halt"]
        closed = halt["gate_closed_ms"]
        self.stdout.write(f"halt {halt['id']}: {halt['scope']} {halt['target']} is HALTED: {halt['reason']}")
        self.stdout.write(f"gate closed: {'not confirmed' if closed is None else f'{closed} ms'}")
        for row in document["items"]:
            figure = f"{row['milliseconds']} ms" if row["confirmed"] else f"not confirmed: {row['detail']}"
            self.stdout.write(f"{row['runtime']}: {row['count']} concerned, {figure}")

    def _show_release(self, document: Mapping[str, Any]) -> None:
        self.stdout.write(f"{document['scope']} {document['target']} is released")
        for item in document["may_trade_again"]["items"]:
            state = f"held by: {item['held_by']}" if item["held_by"] else "may trade again"
            self.stdout.write(f"{item['name']} {item['id']} ({item['status']}): {state}")
