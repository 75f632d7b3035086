"""`alphaswarm account`: what is known of the accounts at venues, testing them, their limits, and real money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from risk import account_actions, promotion
from risk.account_actions import BadLimits, NoSuchAccount
from risk.kill_switch import ReasonMissing
from trading.account_room import queries
from trading.venues import queries as venues
from trading.venues.actions import test_connection


class Command(ProductCommand):
    help = "Say how an account is and what it may come to, all of its runs together, or change that."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, "list", self.list, "Say how ready each account was when its venue was last asked.")
        test = self.verb(parser, "test", self.test, "Ask the venue of an account how it is; nothing is sent to it.")
        test.add_argument("account", help="alpaca-paper, ibkr-live …")
        for name, handler, text in (
            ("promote", self.promote, "Let runs of a live account trade real money."),
            ("demote", self.demote, "Let no further run of a live account trade real money."),
        ):
            verb = self.verb(parser, name, handler, text)
            verb.add_argument("account", help="alpaca-live, ibkr-live …")
            verb.add_argument("--reason", required=True, help="why; kept with the account")
        limits = self.verb(parser, "limits", self.limits, "Say the limits and what is used of them.")
        limits.add_argument("account", nargs="?", help="alpaca-paper, ibkr-live …; all by default")
        change = self.verb(parser, "set", self.set, "Change limits; those that are not named stay as they are.")
        change.add_argument("account", help="alpaca-paper, ibkr-live …")
        names = ", ".join(queries.names_of_limits())
        change.add_argument("changes", nargs="+", metavar="LIMIT=FIGURE", help=f"or LIMIT=none; limits are {names}")
        change.add_argument("--reason", required=True, help="why; kept in the audit log")

    def list(self, **options: Any) -> dict[str, Any]:
        return {"items": venues.accounts(), "next": None, "simulated": venues.simulated()}

    def test(self, account: str, **options: Any) -> dict[str, Any]:
        try:
            test_connection(account, cli_principal())
            return venues.account(account)
        except venues.UnknownAccount as error:
            raise BadInput(str(error), field="account") from error

    def promote(self, account: str, reason: str, **options: Any) -> dict[str, Any]:
        with _told():
            promotion.promote(account, reason, cli_principal())
        return {"account": account, "live": True}

    def demote(self, account: str, reason: str, **options: Any) -> dict[str, Any]:
        with _told():
            changed = promotion.demote(account, reason, cli_principal())
        return {"account": account, "live": False, "changed": changed}

    def limits(self, account: str | None = None, **options: Any) -> dict[str, Any]:
        if account is None:
            return {"items": queries.accounts(), "next": None}
        try:
            return queries.account(account)
        except NoSuchAccount as error:
            raise BadInput(str(error), field="account") from error

    def set(self, account: str, changes: Sequence[str], reason: str, **options: Any) -> dict[str, Any]:
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
            if "live" in row:
                self.stdout.write(f"  {'may' if row['live'] else 'may not'} trade real money")
                continue
            if "readiness" in row:
                self._show_readiness(row)
                continue
            if not row["headroom"]:
                self.stdout.write("  no limit")
            for one in row["headroom"]:
                symbol = f" ({one['symbol']})" if one["symbol"] else ""
                self.stdout.write(f"  {one['code']}: {one['used']} of {one['limit']}{symbol}")

    def _show_readiness(self, row: Mapping[str, Any]) -> None:
        for name, finding in row["readiness"].items():
            word = {True: "yes", False: "no", None: "-"}[finding["ok"]]
            self.stdout.write(f"  {name:<13}{word:<4} {finding['says']}")
        if row["money"]:
            money = row["money"]
            self.stdout.write(f"  equity {money['equity']}, cash {money['cash']}, buying power {money['buying_power']}")
        for one in row.get("positions") or ():
            note = "  DIFFERS" if one["differs"] else ""
            self.stdout.write(f"  {one['symbol']}: venue {one['venue']}, ours {one['ours']}{note}")
        for one in row.get("orders") or ():
            note = {"venue": "  NOT OURS", "ours": "  NOT AT THE VENUE"}.get(one["seen"], "")
            self.stdout.write(f"  {one['name']}: {one['side']} {one['qty']} {one['symbol']}{note}")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except promotion.NotAnAccount as error:
        raise BadInput(str(error), field="account") from error
    except promotion.ReasonMissing as error:
        raise BadInput(str(error), field="reason") from error


def _read(change: str) -> tuple[str, str | None]:
    name, sign, figure = change.partition("=")
    if not sign:
        raise BadInput(f"{change!r} is no change: write LIMIT=FIGURE, or LIMIT=none", field="changes")
    return name, None if figure == "none" else figure
