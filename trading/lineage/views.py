"""The pages of metadata: what is known, about one URN, and what the gate would say."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from metadata import gate
from trading.lineage import queries
from trading.rendering import rendered

_render = partial(rendered, "metadata")


@never_cache
@require_GET
@page("read")
def metadata(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("search", "").strip()
    found = queries.known(search, request.GET.get("after", ""))
    return _render(request, "metadata", {**found, "search": search, "gate": _gate(request)})


def _gate(request: HttpRequest) -> dict[str, Any]:
    """What was asked, and the answer; nothing is started by it."""
    asked = {name: request.GET.get(name, "").strip() for name in ("model_urn", "pipeline_urn")}
    decision = gate.check(asked["model_urn"], asked["pipeline_urn"]) if any(asked.values()) else None
    return {**asked, "decision": decision}


@never_cache
@require_GET
@page("read")
def aspects(request: HttpRequest, urn: str) -> HttpResponse:
    found = queries.of_urn(urn)
    if not found:
        raise Http404(f"nothing is known about {urn}")
    name = request.GET.get("name", "")
    chosen = next((one for one in found if one["newest"].name == name), found[0])
    context = {
        "urn": urn,
        "aspects": found,
        "chosen": chosen["newest"].name,
        "versions": chosen["versions"],
        "compared": queries.compared(chosen["versions"], request.GET.get("before", ""), request.GET.get("after", "")),
        "lineage": queries.lineage(urn) if queries.is_urn(urn) else None,
    }
    return _render(request, "aspects", context)
