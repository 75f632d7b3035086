"""The JSON API of stopping."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import checked, require
from access.principals import principal_of
from access.problems import invalid
from risk import actions, queries
from risk.kill_switch import ReasonMissing

router = Router(tags=["risk"])


class KillRequest(Schema):
    engaged: bool = Field(description="true stops everything at once; false lets orders leave again")
    reason: str = Field("", max_length=1000, description="needed; kept with the switch")


class KillAnswer(Schema):
    """The switch. ``epoch`` grows with each engagement; ``measured`` says how long its stop took, in milliseconds."""

    engaged: bool
    epoch: int | None
    reason: str
    engaged_at: str | None
    engaged_by: str
    released_at: str | None
    released_by: str
    release_reason: str
    durable: bool = Field(description="false while only this host's kill file says it")
    changed: bool
    measured: dict[str, Any] | None


class HaltRequest(Schema):
    reason: str = Field("", max_length=1000)


class HaltAnswer(Schema):
    items: list[dict[str, Any]]
    next: str | None = None


@router.get("/portfolio/kill_switch", auth=require("read"), response=KillAnswer)
def get_kill_switch(request: HttpRequest) -> dict[str, Any]:
    view = queries.kill_view()
    return queries.document(view.state, view.measured)


@router.post("/portfolio/kill_switch", auth=require("halt"), response=KillAnswer)
def set_kill_switch(request: HttpRequest, body: KillRequest) -> dict[str, Any]:
    principal = principal_of(request)
    try:
        if body.engaged:
            report = actions.kill(body.reason, principal)
            return queries.document(report.state, report.measured())
        checked(principal, "admin")
        second_factor.demand(request)
        return queries.document(actions.release(body.reason, principal), None)
    except ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error


router.add_api_operation(
    "/kill-switch",
    ["POST"],
    set_kill_switch,
    auth=require("halt"),
    response=KillAnswer,
    operation_id="set_kill_switch_by_its_other_name",
)


@router.post("/halt", auth=require("halt"), response=HaltAnswer)
def halt(request: HttpRequest, body: HaltRequest | None = None) -> dict[str, Any]:
    """Ask every registered runtime to halt; a row each. The kill switch is not touched."""
    rows = actions.halt(body.reason if body else "", principal_of(request))
    return {"items": msgspec.to_builtins(rows)}
