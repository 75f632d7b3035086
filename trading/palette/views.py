"""The palette: a page of its own, and the results alone for the dialog."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from access.principals import principal_of
from trading.palette import commands
from trading.rendering import rendered


@never_cache
@require_GET
@page("read")
def palette(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:120].replace("\0", "")
    found = commands.found(text, principal_of(request))
    return rendered("palette", request, "palette", {"text": text.strip(), "found": found})
