"""The Risk page, and letting a run go on that was interrupted, or that its own rules hold back."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from access import second_factor
from access.auth import page
from access.principals import principal_of
from risk.views import ReleaseForm
from trading import actions
from trading.engine.errors import InvalidValue
from trading.models import RunStatus
from trading.oversight import queries
from trading.rendering import rendered, run_or_404

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


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("trade")
def resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = run_or_404(run_id)
    principal = principal_of(request)
    form = ReleaseForm(request)
    if form.is_valid():
        try:
            resumed = actions.resume(found, form.cleaned_data["reason"], principal=principal)
        except (actions.NotTrading, actions.StartHeld) as error:
            form.add_error(None, f"{str(error).capitalize()}.")
        else:
            waits = resumed.status == RunStatus.QUEUED
            goes_on = "goes on once a worker has taken it" if waits else "may trade again from its next bar on"
            messages.success(request, f"{found.name} {goes_on}.")
            return redirect("ui:run", run_id)
    device = second_factor.device_of(principal.user) if principal.user else None
    context = {"form": form, "device": device, "run": found, "session": queries.of_run(found)}
    return render(request, "oversight/resume.html", context, status=422 if form.is_bound else 200)
