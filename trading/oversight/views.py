"""The Risk page."""

from __future__ import annotations

from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from trading.engine.errors import InvalidValue
from trading.oversight import queries
from trading.rendering import rendered

_render = partial(rendered, "oversight")


@never_cache
@require_GET
@page("read")
def risk(request: HttpRequest) -> HttpResponse:
    return _render(request, "risk", queries.overview())


@never_cache
@require_GET
@page("read")
def risk_events(request: HttpRequest) -> HttpResponse:
    code = request.GET.get("code", "")
    try:
        found = queries.events(code, cursor=request.GET.get("after"), limit=50)
    except InvalidValue as error:
        raise Http404(str(error)) from error
    return _render(request, "events", {**found, "codes": queries.codes(), "code": code})
