"""Risk of all runs, by HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from access.auth import require
from trading.api import Cursor, Limit, told_problems
from trading.oversight import queries

router = Router(tags=["risk"])


@router.get("/risk", auth=require("read"))
def risk(request: HttpRequest) -> dict[str, Any]:
    """Sessions with their headroom, what is held back, the last events and the last kills."""
    return queries.overview()


@router.get("/risk/events", auth=require("read"))
def risk_events(
    request: HttpRequest, code: str = "", run_id: UUID | None = None, cursor: Cursor = None, limit: Limit = 100
) -> dict[str, Any]:
    """Breaches, halts and refusals of paper and live runs, newest first."""
    with told_problems():
        return queries.events(code, str(run_id or ""), cursor, limit)
