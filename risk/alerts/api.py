"""The JSON API of alerts."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from access.auth import require
from access.principals import principal_of
from access.problems import Problem, invalid
from risk.alerts import actions, queries
from risk.alerts.actions import NoSuchAlert, NoSuchChannel
from risk.alerts.queries import BadFilter

router = Router(tags=["alerts"])


class AlertTest(Schema, extra="forbid"):
    channel: Annotated[str | None, Field(description="email, webhook or slack; all where it is left out")] = None


@router.get("/alerts", auth=require("read"))
def list_alerts(
    request: HttpRequest,
    kind: str = "",
    severity: str = "",
    open: bool = False,
    cursor: Annotated[str | None, Query(description="the `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=queries.LARGEST)] = 100,
) -> dict[str, Any]:
    """Newest first; `open` leaves out what a person has acknowledged."""
    try:
        return queries.alerts(kind, severity, open, cursor, limit)
    except BadFilter as error:
        raise invalid([{"field": error.field, "message": str(error)}]) from error


@router.get("/alerts/channels", auth=require("read"))
def list_channels(request: HttpRequest) -> dict[str, Any]:
    """Which channels are configured, what became of their last messages, and the outbound heartbeat."""
    return {"items": queries.channel_rows(), "next": None, "heartbeat": queries.heartbeat_row()}


@router.post("/alerts/test", auth=require("trade"))
def test_alerts(request: HttpRequest, body: AlertTest | None = None) -> dict[str, Any]:
    """Send a test by each channel, or by one, and say what happened to each."""
    try:
        return {"items": actions.test(principal_of(request), body.channel if body else None), "next": None}
    except NoSuchChannel as error:
        raise invalid([{"field": "channel", "message": str(error)}]) from error


@router.post("/alerts/{alert_id}/acknowledge", auth=require("trade"))
def acknowledge_alert(request: HttpRequest, alert_id: int) -> dict[str, Any]:
    try:
        return queries.alert_row(actions.acknowledge(alert_id, principal_of(request)))
    except NoSuchAlert as error:
        raise Problem(404, "not_found", "No such alert", str(error)) from error
