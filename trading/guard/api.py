"""Drills, by HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access.auth import require
from access.principals import principal_of
from access.problems import Problem
from risk.drill_models import Drill
from trading.api import Cursor, Limit, told_problems
from trading.guard import drills
from trading.guard.drills import DrillUnderWay
from trading.pages import page

router = Router(tags=["risk"])


class DrillRequest(Schema):
    sessions: int = Field(drills.SESSIONS, description="how many sessions are started and halted")


@router.get("/drills", auth=require("read"))
def list_drills(request: HttpRequest, cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    """Drills with their figures, newest first."""
    with told_problems():
        return page(Drill.objects.all(), ["-id"], cursor, limit, drills.row_of)


@router.post("/drills", auth=require("trade"))
def run_drill(request: HttpRequest, body: DrillRequest | None = None) -> dict[str, Any]:
    """Start a few sessions on the simulated venue and halt them by a halt of their own account. Answers with the
    figures, after some seconds; no other session is touched."""
    sessions = drills.SESSIONS if body is None else body.sessions
    try:
        with told_problems():
            return drills.row_of(drills.run_drill(principal_of(request), sessions))
    except DrillUnderWay as error:
        raise Problem(409, "drill_under_way", "A drill is under way", str(error)) from error
