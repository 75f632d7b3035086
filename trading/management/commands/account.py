"""`alphaswarm account limits [NAME]` and `alphaswarm account set NAME LIMIT=FIGURE … --reason TEXT`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from risk import account_actions
from risk.account_actions import BadLimits, NoSuchAccount
from risk.kill_switch import ReasonMissing
from trading.account_room import queries


class Command(ProductCommand):
    help = "Say what an account may come to, all of its runs together, or change it."

    def add_arguments(self, parser: CommandParser) -> None:
        limits = self.verb(parser, "limits", self.limits, "Say the limits and what is used of them.")
        limits.add_argument("account", nargs="?", help="alpaca-paper, ibkr-live …; all by default")
        change = self.verb(parser, "set", self.set, "Change limits; those that are not named stay as they are.")
        change.add_argument("account", help="alpaca-paper, ibkr-live …")
        names = ", ".join(queries.names_of_limits())
        change.add_argument("changes", nargs="+", metavar="LIMIT=FIGURE", help=f"or LIMIT=none; limits are {names}")
        change.add_argument("--reason", required=True, help="why; kept in the audit log")

    def limits(self, account: str | None = None, **options: Any) -> dict[str, Any]:
        if account is None:
            return {"items": queries.accounts(), "next": None}
        try:
            return queries.account(account)
        except NoSuchAccount as error:
            raise BadInput(str(error), field="account") from error

    def set(self, account: str, changes: list[str], reason: str, **options: Any) -> dict[str, Any]:
        given = dict(_read(change) for change in changes)
        try:
            before = account_actions.limits_of(account).model_dump(exclude_none=True)
            limits = account_actions.read_limits({**before, **given})
            done = account_actions.set_limits(account, limits, reason, cli_principal(), may_loosen=True)
        except ReasonMissing as error:
            raise BadInput(str(error), field="reason") from error
        except NoSuchAccount as error:
            raise BadInput(str(error), field="account") from error
        except BadLimits as error:
            raise BadInput(str(error), field=error.problems[0]["field"]) from error
        return {**queries.account(account), "loosened": done.loosened, "changed": done.changed}

    def show(self, document: Mapping[str, Any]) -> None:
        for row in document.get("items", [document]):
            self.stdout.write(row["account"])
            if not row["headroom"]:
                self.stdout.write("  no limit")
            for one in row["headroom"]:
                symbol = f" ({one['symbol']})" if one["symbol"] else ""
                self.stdout.write(f"  {one['code']}: {one['used']} of {one['limit']}{symbol}")


def _read(change: str) -> tuple[str, str | None]:
    name, sign, figure = change.partition("=")
    if not sign:
        raise BadInput(f"{change!r} is no change: write LIMIT=FIGURE, or LIMIT=none", field="changes")
    return name, None if figure == "none" else figure
