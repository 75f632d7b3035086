"""What the pages of every folder do alike."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from access.principals import principal_of
from trading import queries
from trading.models import Run


def rendered(folder: str, request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The page ``name`` of a folder of templates, or its fragment where HTMX asks; going back in the browser asks for a
    whole page again."""
    htmx: Any = request.htmx  # type: ignore[attr-defined]
    part = "_" if htmx and not htmx.history_restore_request else ""
    principal = principal_of(request)
    rights = {"may_trade": principal.may("trade"), "may_halt": principal.may("halt")}
    response = render(request, f"{folder}/{part}{name}.html", {**rights, **context}, status=status)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def run_or_404(run_id: UUID) -> Run:
    run = queries.run(run_id)
    if run is None:
        raise Http404(f"there is no run {run_id}")
    return run
