"""`alphaswarm reconcile list | now ACCOUNT | adopt ID | ignore ID | flatten ID`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from access.principals import Principal, cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand, Refused
from risk.kill_switch import ReasonMissing
from trading.inbox import actions, queries
from trading.models import Difference
from trading.venues.queries import UnknownAccount

Verb = Callable[[int, str, Principal], Difference]

_HELP = {
    "adopt": (actions.adopt, "Take the venue's word for right, by a correcting entry."),
    "ignore": (actions.ignore, "Accept the difference as known, up to its present amount."),
    "flatten": (actions.flatten, "Get rid of it at the venue: cancel the order, or close the position."),
}


class Command(ProductCommand):
    help = "List what ledger and venues differ in, solve it, or compare an account now."

    def add_arguments(self, parser: CommandParser) -> None:
        found = self.verb(parser, "list", self.list, "Say what differs, newest first.")
        found.add_argument("--state", default="open", choices=[*queries.STATES, "all"], help="open by default")
        now = self.verb(parser, "now", self.now, "Hold an account against its venue now.")
        now.add_argument("account", help="alpaca-paper, ibkr-live …")
        for name, (verb, text) in _HELP.items():
            solve = self.verb(parser, name, partial(self.solve, verb), text)
            solve.add_argument("difference_id", type=int, help="its number, see `reconcile list`")
            solve.add_argument("--reason", required=True, help="why; kept with the difference")

    def list(self, state: str, **options: Any) -> dict[str, Any]:
        return queries.differences("" if state == "all" else state, limit=1000)

    def now(self, account: str, **options: Any) -> dict[str, Any]:
        try:
            found = actions.look_now(account, cli_principal())
        except UnknownAccount as error:
            raise BadInput(str(error), field="account") from error
        except actions.CannotSolve as error:
            raise Refused(str(error), "cannot_solve") from error
        return {"account": account, "differences": [one.sentence for one in found]}

    def solve(self, verb: Verb, difference_id: int, reason: str, **options: Any) -> dict[str, Any]:
        try:
            return queries.difference_row(verb(difference_id, reason, cli_principal()))
        except ReasonMissing as error:
            raise BadInput(str(error), field="reason") from error
        except queries.NoSuchDifference as error:
            raise BadInput(str(error), field="difference_id") from error
        except actions.CannotSolve as error:
            raise Refused(str(error), "cannot_solve") from error

    def show(self, document: Mapping[str, Any]) -> None:
        if "differences" in document:
            for sentence in document["differences"] or ["ledger and venue agree"]:
                self.stdout.write(sentence)
            return
        rows = document.get("items", [document])
        if not rows:
            self.stdout.write("nothing differs")
        for row in rows:
            what = f"{row['kind']} {row['subject']}".strip()
            self.stdout.write(
                f"{row['id']}  {row['account']}  {what}: {row['amount']} more at the venue, {row['state']}"
            )
