"""The replay of a run, and how far it has drifted from its backtest, on its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from access.auth import page
from trading.engine.errors import TradingError
from trading.models import Run
from trading.rendering import rendered, run_or_404
from trading.replay.api import MOST_BARS
from trading.replay.parity import parity
from trading.replay.report import ReplayReport, replay


@require_POST
@page("read")
def replay_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return _reckoned(request, "replay", run_id, _replayed)


@require_POST
@page("read")
def parity_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return _reckoned(request, "parity", run_id, lambda run: {"parity": parity(run, MOST_BARS)})


def _reckoned(request: HttpRequest, name: str, run_id: UUID, reckon: Callable[[Run], dict[str, Any]]) -> HttpResponse:
    """What is reckoned of a run, or why it cannot be."""
    run = run_or_404(run_id)
    try:
        found = reckon(run)
    except TradingError as error:
        found = {"problem": str(error)}
    return rendered("replay", request, name, {"run": run, **found})


def _replayed(run: Run) -> dict[str, Any]:
    report = replay(run, MOST_BARS)
    return {"report": report, "sides": _sides(report)}


def _sides(report: ReplayReport) -> list[tuple[str, Any, Any, bool]]:
    """Each field of the first difference, as recorded and as replayed, and whether they differ."""
    if report.difference is None:
        return []
    recorded, replayed = report.difference.recorded or {}, report.difference.replayed or {}
    names = [*recorded, *(name for name in replayed if name not in recorded)]
    return [(name, recorded.get(name), replayed.get(name), recorded.get(name) != replayed.get(name)) for name in names]
