"""What is shown of alerts: pages of them, the channels, and the heartbeat."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from risk.alert_models import Alert, AlertDelivery, HeartbeatState, Severity
from risk.alerts import channels

Row = dict[str, Any]

LARGEST: Final = 1000
#: What the page offers to filter by.
KINDS: Final = (
    "kill",
    "halt",
    "lost_worker",
    "unconfirmed_cancel",
    "unknown_order",
    "reject_spike",
    "exposure_spike",
    "venue_outage",
    "stale_data",
    "degraded",
    "failed_run",
    "missing_part",
    "drill",
    "test",
)


class BadFilter(ValueError):
    """A filter that no alert can match; ``field`` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def alerts(
    kind: str = "", severity: str = "", open_only: bool = False, cursor: str | None = None, limit: int = 100
) -> Row:
    """A page of alerts, newest first: ``{"items": […], "next": cursor or None}``. Raises `BadFilter`."""
    found = Alert.objects.prefetch_related("deliveries")
    if kind:
        found = found.filter(kind=kind)
    if severity:
        if severity not in Severity.values:
            raise BadFilter("severity", f"there is no severity {severity!r}; there are {', '.join(Severity.values)}")
        found = found.filter(severity=severity)
    if open_only:
        found = found.filter(acknowledged_at=None)
    if cursor:
        if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:
            raise BadFilter("cursor", "it is not one that this server gave; leave it out to start from the top")
        found = found.filter(pk__lt=int(cursor))
    return _page(found, max(1, min(limit, LARGEST)))


def _page(found: QuerySet[Alert], limit: int) -> Row:
    rows = list(found.order_by("-pk")[: limit + 1])
    following = str(rows[limit - 1].pk) if len(rows) > limit else None
    return {"items": [alert_row(row) for row in rows[:limit]], "next": following}


def open_by_urgency() -> dict[str, int]:
    """How many alerts nobody has acknowledged: ``all``, and those that are ``critical``."""
    critical = Count("id", filter=Q(severity=Severity.CRITICAL))
    return Alert.objects.filter(acknowledged_at=None).aggregate(all=Count("id"), critical=critical)


def latest_open(count: int = 5) -> list[Row]:
    found = Alert.objects.filter(acknowledged_at=None).prefetch_related("deliveries")
    return [alert_row(alert) for alert in found.order_by("-pk")[:count]]


def alert_row(alert: Alert) -> Row:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "subject": alert.subject,
        "message": alert.message,
        "run_id": None if alert.run_id is None else str(alert.run_id),
        "account": alert.account,
        "count": alert.count,
        "first_at": _moment(alert.first_at),
        "last_at": _moment(alert.last_at),
        "acknowledged_at": _moment(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "deliveries": [_delivery_row(one) for one in alert.deliveries.all()],
    }


def _delivery_row(delivery: AlertDelivery) -> Row:
    return {
        "channel": delivery.channel,
        "told": delivery.told,
        "attempts": delivery.attempts,
        "due_at": _moment(delivery.due_at),
        "delivered_at": _moment(delivery.delivered_at),
        "failed_at": _moment(delivery.failed_at),
        "error": delivery.error,
    }


def channel_rows() -> list[Row]:
    """Each channel: whether it is configured, where it leads (masked), its last success and its last failure."""
    there = channels.configured()
    return [
        {
            "name": name,
            "configured": name in there,
            "where": there[name].where if name in there else "",
            "needs": needs,
            **_last_of(name),
        }
        for name, needs in channels.NEEDS.items()
    ]


def _last_of(channel: str) -> Row:
    of_channel = AlertDelivery.objects.filter(channel=channel)
    done = of_channel.exclude(delivered_at=None).order_by("-delivered_at").first()
    failed = of_channel.exclude(failed_at=None).order_by("-failed_at").first()
    return {
        "delivered_at": _moment(done.delivered_at) if done else None,
        "failed_at": _moment(failed.failed_at) if failed else None,
        "error": failed.error if failed else "",
    }


def heartbeat_row() -> Row:
    """The outbound heartbeat: where it leads (masked), when it last arrived, and why it is withheld, if it is."""
    state = HeartbeatState.objects.filter(pk=1).first() or HeartbeatState()
    return {
        "configured": bool(settings.HEARTBEAT_URL),
        "where": channels.masked(settings.HEARTBEAT_URL) if settings.HEARTBEAT_URL else "",
        "sent_at": _moment(state.sent_at),
        "failed_at": _moment(state.failed_at),
        "error": state.error,
        "withheld": state.withheld,
        "withheld_at": _moment(state.withheld_at),
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")
