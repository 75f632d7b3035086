"""Pages of scoped halts: what is halted, halting, and a release that first shows what it lets trade."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from access import second_factor
from access.auth import page
from access.principals import principal_of
from risk import actions, halting, queries
from risk.halt_models import RiskHalt
from risk.halting import NoSuchHalt, UnknownTarget
from risk.halts import Scope
from risk.views import ReleaseForm
from trading.engine.errors import InvalidValue


class HaltForm(forms.Form):
    scope = forms.ChoiceField(choices=[(scope.value, scope.value.capitalize()) for scope in Scope])
    target = forms.CharField(max_length=80)
    reason = forms.CharField(max_length=1000)


@never_cache
@require_http_methods(["GET", "HEAD"])
@page("read")
def halts(request: HttpRequest) -> HttpResponse:
    """What is halted. ``?seen=KEY`` answers 204 when that is still so, so that an open form stays open."""
    if request.GET.get("seen") == queries.halts_key(halting.standing()):
        return HttpResponse(status=204)
    return _shown(request, HaltForm())


@require_http_methods(["POST"])
@page("halt")
def halt(request: HttpRequest) -> HttpResponse:
    form = HaltForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            report = actions.halt_scope(Scope(given["scope"]), given["target"], given["reason"], principal_of(request))
        except (UnknownTarget, InvalidValue) as error:
            form.add_error("target", f"{error}.")
        else:
            if not request.htmx:  # type: ignore[attr-defined]
                return redirect("ui:halts")
            return _shown(request, HaltForm(), report=report)
    return _shown(request, form, status=422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def release(request: HttpRequest, halt_id: int) -> HttpResponse:
    halted = _standing(halt_id)
    form = ReleaseForm(request)
    if form.is_valid():
        actions.release_halt(halt_id, form.cleaned_data["reason"], principal_of(request))
        messages.success(request, f"The halt of {halted.scope} {halted.target} is released.")
        return redirect("ui:halts")
    principal = principal_of(request)
    device = second_factor.device_of(principal.user) if principal.user else None
    context = {"form": form, "device": device, "halt": halted, "what_if": queries.what_if(halted)}
    return render(request, "risk/release_halt.html", context, status=422 if form.is_bound else 200)


def _standing(halt_id: int) -> RiskHalt:
    try:
        return halting.find(halt_id)
    except NoSuchHalt as error:
        raise Http404(str(error)) from error


def _shown(
    request: HttpRequest, form: HaltForm, report: actions.HaltReport | None = None, status: int = 200
) -> HttpResponse:
    template = "risk/_halts.html" if request.htmx else "risk/halts.html"  # type: ignore[attr-defined]
    return render(request, template, {"halt_form": form, "report": report}, status=status)
