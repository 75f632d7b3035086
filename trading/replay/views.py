"""The replay of a run, and how far it has drifted from its backtest, on its page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from access.auth import page
from trading.engine.errors import TradingError
from trading.rendering import run_or_404
from trading.replay.api import MOST_BARS
from trading.replay.parity import parity
from trading.replay.report import ReplayReport, replay


@require_POST
@page("read")
def replay_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = run_or_404(run_id)
    context: dict[str, Any] = {"run": found}
    try:
        report = replay(found, MOST_BARS)
        context |= {"report": report, "sides": _sides(report)}
    except TradingError as error:
        context["problem"] = str(error)
    template = "replay/_replay.html" if request.htmx else "replay/replay.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_POST
@page("read")
def parity_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = run_or_404(run_id)
    context: dict[str, Any] = {"run": found}
    try:
        context["parity"] = parity(found, MOST_BARS)
    except TradingError as error:
        context["problem"] = str(error)
    template = "replay/_parity.html" if request.htmx else "replay/parity.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _sides(report: ReplayReport) -> list[tuple[str, Any, Any, bool]]:
    """Each field of the first difference, as recorded and as replayed, and whether they differ."""
    if report.difference is None:
        return []
    recorded, replayed = report.difference.recorded or {}, report.difference.replayed or {}
    names = [*recorded, *(name for name in replayed if name not in recorded)]
    return [(name, recorded.get(name), replayed.get(name), recorded.get(name) != replayed.get(name)) for name in names]
