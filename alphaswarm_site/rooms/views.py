"""The pages of the installation."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from alphaswarm_site.rooms import audit as auditing
from alphaswarm_site.rooms import system as stack
from alphaswarm_site.rooms.forms import AuditForm
from trading.engine.errors import InvalidValue
from trading.rendering import rendered


@never_cache
@require_GET
@page("read")
def system(request: HttpRequest) -> HttpResponse:
    return rendered("system", request, "system", stack.overview())


@never_cache
@require_GET
@page("admin")
def audit(request: HttpRequest) -> HttpResponse:
    form = AuditForm(request.GET, label_suffix="")
    if not form.is_valid():
        return rendered("audit", request, "audit", {"form": form, "items": []}, status=422)
    try:
        found = auditing.entries(form.wanted(), request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    context = {**found, "form": form, "filtered": form.wanted() != auditing.Wanted()}
    return rendered("audit", request, "audit", context)


@never_cache
@require_GET
@page("admin")
def audit_download(request: HttpRequest) -> HttpResponse:
    form = AuditForm(request.GET, label_suffix="")
    if form.is_valid() and form.wanted().found()[auditing.MOST_ROWS :].exists():
        form.add_error(None, f"No file was written: there are more than {auditing.MOST_ROWS:,} entries, choose days.")
    if not form.is_valid():
        return rendered("audit", request, "audit", {"form": form, "items": []}, status=422)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return HttpResponse(auditing.as_csv(form.wanted()), content_type="text/csv; charset=utf-8", headers=headers)
