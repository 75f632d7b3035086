"""The JSON API of whole accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import checked, require
from access.principals import principal_of
from access.problems import Problem, invalid
from risk import account_actions
from risk.account_actions import BadLimits, Loosens, NoSuchAccount
from risk.kill_switch import ReasonMissing
from trading.account_room import queries

router = Router(tags=["risk"])


class LimitsRequest(Schema, extra="forbid"):
    limits: dict[str, Any] = Field(description="all that are to hold; what is left out, or null, is no limit")
    reason: str = Field("", max_length=1000, description="needed; kept in the audit log")


class ResetRequest(Schema, extra="forbid"):
    reason: str = Field("", max_length=1000, description="needed; kept with the breaker")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    except BadLimits as error:
        problems = [{"field": f"limits.{one['field']}", "message": one["message"]} for one in error.problems]
        raise invalid(problems) from error
    except NoSuchAccount as error:
        raise Problem(404, "not_found", "No such account", detail=str(error)) from error
    except Loosens as error:
        raise Problem(409, "limits_changed", "The limits have changed meanwhile", detail=str(error)) from error


@router.get("/accounts/limits", auth=require("read"))
def list_account_limits(request: HttpRequest) -> dict[str, Any]:
    """Every account that runs share, with its limits and what is used of them."""
    return {"items": queries.accounts(), "next": None}


@router.get("/accounts/{account}/limits", auth=require("read"))
def get_account_limits(request: HttpRequest, account: str) -> dict[str, Any]:
    with _told():
        return queries.account(account)


@router.put("/accounts/{account}/limits", auth=require("trade"))
def set_account_limits(request: HttpRequest, account: str, body: LimitsRequest) -> dict[str, Any]:
    """Replace the limits of an account. One that lets more pass needs the scope admin and a one-time code."""
    principal = principal_of(request)
    with _told():
        limits = account_actions.read_limits(body.limits)
        loosens = bool(limits.loosens(account_actions.limits_of(account)))
        if loosens:
            checked(principal, "admin")
            second_factor.demand(request)
        done = account_actions.set_limits(account, limits, body.reason, principal, may_loosen=loosens)
        return {**queries.account(account), "loosened": done.loosened, "changed": done.changed}


@router.get("/breakers", auth=require("read"))
def list_breakers(request: HttpRequest) -> dict[str, Any]:
    """One per account that was ever traded in; an open one holds back whatever opens something."""
    return {"items": queries.breakers(), "next": None}


@router.post("/breakers/{name}/reset", auth=require("admin"))
def reset_breaker(request: HttpRequest, name: str, body: ResetRequest) -> dict[str, Any]:
    """Let orders leave to an account's venue again; needs a one-time code."""
    with _told():
        second_factor.demand(request)
        done = account_actions.reset_breaker(name, body.reason, principal_of(request))
    return {**queries.breaker(done.account), "changed": done.changed}
