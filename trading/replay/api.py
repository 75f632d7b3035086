"""Replaying by HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from access.auth import require
from trading.api import run_of, told_problems
from trading.replay.parity import parity
from trading.replay.report import replay

router = Router(tags=["trading"])

#: A request waits for no more than this; the command line replays any run.
MOST_BARS = 200_000


@router.post("/paper/runs/{run_id}/replay", auth=require("read"))
def replay_run(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """Run it again from its own bars, in memory: ``same``, or the first ``difference``. Backtests have it too."""
    with told_problems():
        return replay(run_of(run_id), MOST_BARS).as_dict()


@router.post("/paper/runs/{run_id}/parity", auth=require("read"))
def parity_run(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """How far a session has drifted from a backtest of its recipe over the bars that it saw; nothing is written."""
    with told_problems():
        return parity(run_of(run_id), MOST_BARS).as_dict()
