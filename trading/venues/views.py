"""Pages of accounts at venues: what is known of each, asking its venue, and promoting it to real money."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access import second_factor
from access.auth import page
from access.principals import principal_of
from risk import promotion
from risk.views import ReleaseForm
from trading.rendering import rendered
from trading.venues import actions, queries


class DemotionForm(forms.Form):
    reason = forms.CharField(max_length=1000, widget=forms.TextInput(attrs={"autocomplete": "off"}))


@never_cache
@require_GET
@page("read")
def accounts(request: HttpRequest) -> HttpResponse:
    found = {"items": queries.accounts(), "simulated": queries.simulated(), "to_set_up": queries.to_set_up()}
    return rendered("venues", request, "accounts", found)


@never_cache
@require_GET
@page("read")
def account(request: HttpRequest, name: str) -> HttpResponse:
    return _shown(request, name)


@require_POST
@page("trade")
def test(request: HttpRequest, name: str) -> HttpResponse:
    try:
        check = actions.test_connection(name, principal_of(request))
    except queries.UnknownAccount as error:
        raise Http404(str(error)) from error
    messages.success(request, f"{name} was tested in {check.seconds:.1f} s.")
    return redirect("ui:venue_account", name)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def promote(request: HttpRequest, name: str) -> HttpResponse:
    """Let runs of a live account trade real money, with a reason and a code."""
    row = _row(name)
    if row["kind"] != "live":
        raise Http404(str(promotion.NotAnAccount(name)))
    form = ReleaseForm(request)
    if form.is_valid():
        promotion.promote(name, form.cleaned_data["reason"], principal_of(request))
        messages.warning(request, f"{name} is promoted: runs with paper: false trade real money there.")
        return redirect("ui:venue_account", name)
    principal = principal_of(request)
    device = second_factor.device_of(principal.user) if principal.user else None
    context = {"form": form, "device": device, "account": row}
    return render(request, "venues/promote.html", context, status=422 if form.is_bound else 200)


@require_POST
@page("halt")
def demote(request: HttpRequest, name: str) -> HttpResponse:
    form = DemotionForm(request.POST)
    if not form.is_valid():
        return _shown(request, name, form)
    promotion.demote(name, form.cleaned_data["reason"], principal_of(request))
    messages.success(request, f"{name} is taken back: no further run there trades real money.")
    return redirect("ui:venue_account", name)


def _shown(request: HttpRequest, name: str, demotion: DemotionForm | None = None) -> HttpResponse:
    found = {"account": _row(name), "may_admin": principal_of(request).may("admin")}
    context = {**found, "demotion": demotion or DemotionForm()}
    return rendered("venues", request, "account", context, status=200 if demotion is None else 422)


def _row(name: str) -> dict[str, Any]:
    try:
        return queries.account(name)
    except queries.UnknownAccount as error:
        raise Http404(str(error)) from error
