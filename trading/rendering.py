"""What the pages of every folder do alike."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

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


def asked_again(request: HttpRequest, question: str, verb: str, otherwise: str) -> HttpResponse | None:
    """A page that asks ``question``, with a button ``verb`` that sends the form again; None where that was pressed, or
    the page's script has asked for the second press in place. Going back leads where `sent_back` does."""
    if request.POST.get("sure") == "yes":
        return None
    sent = [(name, value) for name, values in request.POST.lists() for value in values if name != "csrfmiddlewaretoken"]
    context = {"question": question, "verb": verb, "fields": sent, "back": _origin(request, otherwise)}
    return render(request, "trading/sure.html", context)


def sent_back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To the page that the form came from, which it names itself as ``next``; to no other site."""
    return redirect(_origin(request, otherwise))


def _origin(request: HttpRequest, otherwise: str) -> str:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else resolve_url(otherwise)


def run_or_404(run_id: UUID) -> Run:
    run = queries.run(run_id)
    if run is None:
        raise Http404(f"there is no run {run_id}")
    return run
