"""`alphaswarm alert list | acknowledge | test | channels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from risk.alerts import actions, queries
from risk.alerts.actions import NoSuchAlert, NoSuchChannel
from risk.alerts.queries import BadFilter


class Command(ProductCommand):
    help = "List alerts, say that one was seen, try the channels."

    def add_arguments(self, parser: CommandParser) -> None:
        listed = self.verb(parser, "list", self.listed, "List alerts, newest first.")
        listed.add_argument("--kind", default="", help="kill, halt, venue_outage, …")
        listed.add_argument("--severity", default="", help="info, warning or critical")
        listed.add_argument("--open", action="store_true", dest="open_only", help="those nobody has acknowledged")
        listed.add_argument("--limit", type=int, default=100)
        seen = self.verb(parser, "acknowledge", self.acknowledge, "Say that an alert was seen.")
        seen.add_argument("alert_id", metavar="ID", type=int)
        test = self.verb(parser, "test", self.test, "Send a test by each channel, or by one; exit code 1 if one fails.")
        test.add_argument("channel", metavar="CHANNEL", nargs="?", help="email, webhook or slack")
        self.verb(parser, "channels", self.channels, "Say which channels are configured and what became of them.")

    def listed(self, kind: str, severity: str, open_only: bool, limit: int, **options: Any) -> dict[str, Any]:
        try:
            return queries.alerts(kind, severity, open_only, limit=limit)
        except BadFilter as error:
            raise BadInput(str(error), field=error.field) from error

    def acknowledge(self, alert_id: int, **options: Any) -> dict[str, Any]:
        try:
            return queries.alert_row(actions.acknowledge(alert_id, cli_principal()))
        except NoSuchAlert as error:
            raise BadInput(str(error), "unknown_alert") from error

    def test(self, channel: str | None, **options: Any) -> dict[str, Any]:
        try:
            rows = actions.test(cli_principal(), channel)
        except NoSuchChannel as error:
            raise BadInput(str(error), field="channel") from error
        document = {"items": rows, "next": None}
        tried = [row for row in rows if row["milliseconds"] is not None]
        if not tried or not all(row["ok"] for row in tried):
            told = "; ".join(f"{row['channel']}: {row['detail']}" for row in rows)
            raise CommandFailed(told, "not_delivered", **document)
        return document

    def channels(self, **options: Any) -> dict[str, Any]:
        return {"items": queries.channel_rows(), "next": None, "heartbeat": queries.heartbeat_row()}

    def show(self, document: Mapping[str, Any]) -> None:
        if "items" not in document:
            self.stdout.write(f"alert {document['id']} acknowledged by {document['acknowledged_by']}")
            return
        if not document["items"]:
            self.stdout.write("No alert.")
        for row in document["items"]:
            self.stdout.write(_line(row))
        if "heartbeat" in document:
            self.stdout.write(_heartbeat_line(document["heartbeat"]))


def _line(row: Mapping[str, Any]) -> str:
    if "severity" in row:
        times = f" ({row['count']} times)" if row["count"] > 1 else ""
        seen = "" if row["acknowledged_at"] is None else ", acknowledged"
        return f"{row['id']:>6}  {row['last_at'][:19]}  {row['severity']:<8}  {row['subject']}{times}{seen}"
    if "channel" in row:
        return f"{row['channel']:<8} {row['detail']}"
    if not row["configured"]:
        return f"{row['name']:<8} not configured: set {row['needs']}"
    error = f" ({row['error']})" if row["error"] else ""
    return (
        f"{row['name']:<8} {row['where']}  last success {row['delivered_at'] or '-'}"
        f"  last failure {row['failed_at'] or '-'}{error}"
    )


def _heartbeat_line(row: Mapping[str, Any]) -> str:
    if not row["configured"]:
        return "heartbeat not configured: set ALPHASWARM_HEARTBEAT_URL"
    return f"heartbeat {row['where']}  last sent {row['sent_at'] or '-'}  {row['withheld'] or row['error']}".rstrip()
