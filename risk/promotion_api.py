"""Promoting accounts to live, by HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import require
from access.principals import principal_of
from access.problems import invalid
from risk import promotion

router = Router(tags=["risk"])


class PromotionRequest(Schema):
    reason: str = Field("", max_length=1000, description="needed; kept with the account")


@router.get("/accounts/promotions", auth=require("read"))
def list_promotions(request: HttpRequest) -> dict[str, Any]:
    """The accounts that may trade real money."""
    return {"items": promotion.standing(), "next": None}


@router.post("/accounts/{account}/promote", auth=require("admin"))
def promote(request: HttpRequest, account: str, body: PromotionRequest) -> dict[str, Any]:
    """Let runs of this account trade real money; needs a second factor."""
    second_factor.demand(request)
    try:
        promotion.promote(account, body.reason, principal_of(request))
    except promotion.NotAnAccount as error:
        raise invalid([{"field": "account", "message": str(error)}]) from error
    except promotion.ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    return {"account": account, "live": True}


@router.post("/accounts/{account}/demote", auth=require("halt"))
def demote(request: HttpRequest, account: str, body: PromotionRequest) -> dict[str, Any]:
    """Let no further run of this account trade real money."""
    try:
        promotion.demote(account, body.reason, principal_of(request))
    except promotion.ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    return {"account": account, "live": False}
