"""The inbox of reconciliation, by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import require
from access.principals import principal_of
from access.problems import Problem, invalid
from risk.kill_switch import ReasonMissing
from trading.api import Cursor, Limit, told_problems
from trading.inbox import actions, queries
from trading.venues.queries import UnknownAccount

router = Router(tags=["reconciliation"])


class SolveRequest(Schema, extra="forbid"):
    reason: str = Field("", max_length=1000, description="needed; kept with the difference and in the audit log")


class LookRequest(Schema, extra="forbid"):
    account: str = Field(description="as in runs.account: alpaca-paper, ibkr-live …")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    except UnknownAccount as error:
        raise invalid([{"field": "account", "message": str(error)}]) from error
    except queries.NoSuchDifference as error:
        raise Problem(404, "not_found", "No such difference", detail=str(error)) from error
    except actions.CannotSolve as error:
        raise Problem(409, "cannot_solve", "Not possible here", detail=str(error)) from error


@router.get("/reconciliation", auth=require("read"))
def list_differences(
    request: HttpRequest, state: str = "", account: str = "", cursor: Cursor = None, limit: Limit = 100
) -> dict[str, Any]:
    """What ledger and venues differ in, newest first; ``state=open`` are those that wait for a person."""
    with told_problems():
        return queries.differences(state, account, cursor, limit)


@router.post("/reconciliation/look", auth=require("trade"))
def look(request: HttpRequest, body: LookRequest) -> dict[str, Any]:
    """Hold an account against its venue now; takes some seconds. What does not agree."""
    with _told():
        found = actions.look_now(body.account, principal_of(request))
    return {"account": body.account, "differences": [one.sentence for one in found]}


@router.post("/reconciliation/{difference_id}/adopt", auth=require("admin"))
def adopt(request: HttpRequest, difference_id: int, body: SolveRequest) -> dict[str, Any]:
    """Take the venue's word by a correcting entry; needs a one-time code, for it lets orders leave again."""
    with _told():
        second_factor.demand(request)
        return queries.difference_row(actions.adopt(difference_id, body.reason, principal_of(request)))


@router.post("/reconciliation/{difference_id}/ignore", auth=require("admin"))
def ignore(request: HttpRequest, difference_id: int, body: SolveRequest) -> dict[str, Any]:
    """Accept it as known up to its present amount; needs a one-time code, for it lets orders leave again."""
    with _told():
        second_factor.demand(request)
        return queries.difference_row(actions.ignore(difference_id, body.reason, principal_of(request)))


@router.post("/reconciliation/{difference_id}/flatten", auth=require("trade"))
def flatten(request: HttpRequest, difference_id: int, body: SolveRequest) -> dict[str, Any]:
    """Get rid of it at the venue: cancel the order, or close what the venue has more by a market order."""
    with _told():
        return queries.difference_row(actions.flatten(difference_id, body.reason, principal_of(request)))
