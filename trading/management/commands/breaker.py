"""`alphaswarm breaker list` and `alphaswarm breaker reset ACCOUNT --reason TEXT`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from risk import account_actions
from risk.account_actions import NoSuchAccount
from risk.kill_switch import ReasonMissing
from trading.account_room import queries


class Command(ProductCommand):
    help = "List the breakers between accounts and their venues, or reset one."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, "list", self.list, "Say which are open, since when, and why.")
        reset = self.verb(parser, "reset", self.reset, "Let orders that open something leave again.")
        reset.add_argument("account", help="see `breaker list`")
        reset.add_argument("--reason", required=True, help="why; kept with the breaker")

    def list(self, **options: Any) -> dict[str, Any]:
        return {"items": queries.breakers(), "next": None}

    def reset(self, account: str, reason: str, **options: Any) -> dict[str, Any]:
        try:
            done = account_actions.reset_breaker(account, reason, cli_principal())
        except ReasonMissing as error:
            raise BadInput(str(error), field="reason") from error
        except NoSuchAccount as error:
            raise BadInput(str(error), field="account") from error
        return {**queries.breaker(done.account), "changed": done.changed}

    def show(self, document: Mapping[str, Any]) -> None:
        rows = document.get("items", [document])
        if not rows:
            self.stdout.write("no breaker yet: nothing was traded in a shared account")
        for row in rows:
            state = f"open since {row['opened_at']}: {row['reason']}" if row["open"] else "closed"
            self.stdout.write(f"{row['name']}: {state}")
