"""Why no order? By HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import HttpRequest
from ninja import Query, Router

from access.auth import require
from trading.api import run_of, told_problems
from trading.trail.finding import trail

router = Router(tags=["risk"])

#: A request waits for no more than this; the command line looks at any run.
MOST_BARS = 200_000

At = Annotated[datetime | None, Query(description="the last bar at or before it; UTC unless it says otherwise")]


@router.get("/paper/runs/{run_id}/why", auth=require("read"))
def why(
    request: HttpRequest,
    run_id: UUID,
    at: At = None,
    symbol: str | None = None,
    order: Annotated[str | None, Query(description="an order's id: the bar that brought it")] = None,
) -> dict[str, Any]:
    """The trail from a bar to signal, size, each check, gate and venue. By default of the last bar."""
    with told_problems():
        found = trail(run_of(run_id), at=in_utc(at), symbol=symbol, order_id=order, most_bars=MOST_BARS)
    document: dict[str, Any] = msgspec.to_builtins(found)
    return document


def in_utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
