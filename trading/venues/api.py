"""Accounts at venues, by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from ninja import Router

from access.auth import require
from access.principals import principal_of
from access.problems import Problem
from trading.venues import actions, queries

router = Router(tags=["accounts"])


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except queries.UnknownAccount as error:
        raise Problem(404, "not_found", "No such account", detail=str(error)) from error


@router.get("/accounts", auth=require("read"))
def list_accounts(request: HttpRequest) -> dict[str, Any]:
    """Each account that is set up or was traded in, with its readiness as it was found last. No venue is asked."""
    return {"items": queries.accounts(), "next": None, "simulated": queries.simulated()}


@router.get("/accounts/{account}", auth=require("read"))
def get_account(request: HttpRequest, account: str) -> dict[str, Any]:
    """One account with its positions and open orders by the venue's word and by the ledger's."""
    with _told():
        return queries.account(account)


@router.post("/accounts/{account}/test", auth=require("trade"))
def test_account(request: HttpRequest, account: str) -> dict[str, Any]:
    """Ask the venue now, which takes up to ten seconds. What goes wrong there is an answer, not an error."""
    with _told():
        actions.test_connection(account, principal_of(request))
        return queries.account(account)
