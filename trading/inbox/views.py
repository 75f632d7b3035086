"""Pages of the inbox: what differs, and the three ways to solve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from access import second_factor
from access.auth import page
from access.principals import Principal, principal_of
from risk.views import ReleaseForm
from trading.engine.errors import InvalidValue
from trading.inbox import actions, queries
from trading.models import Difference
from trading.rendering import rendered

Verb = Callable[[int, str, Principal], Difference]

_SAYS = {
    "adopt": "The venue is right: what it has more or less than the ledger belongs to no run from here on.",
    "ignore": "The difference is known and may stay, up to its present amount. Beyond that it comes back.",
    "flatten": "It is got rid of at the venue: an order is cancelled, a position closed by a market order.",
}


class FlattenForm(forms.Form):
    reason = forms.CharField(max_length=1000, widget=forms.TextInput(attrs={"autocomplete": "off"}))


@never_cache
@require_GET
@page("read")
def reconciliation(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "open")
    if state not in (*queries.STATES, "all"):
        raise Http404(f"no difference is ever {state}")
    try:
        found = queries.differences("" if state == "all" else state, cursor=request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    may_admin = principal_of(request).may("admin")
    context = {**found, "state": state, "states": [*queries.STATES, "all"], "may_admin": may_admin}
    return rendered("inbox", request, "reconciliation", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def adopt(request: HttpRequest, difference_id: int) -> HttpResponse:
    return _solve(request, difference_id, "adopt", ReleaseForm(request), actions.adopt)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def ignore(request: HttpRequest, difference_id: int) -> HttpResponse:
    return _solve(request, difference_id, "ignore", ReleaseForm(request), actions.ignore)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("trade")
def flatten(request: HttpRequest, difference_id: int) -> HttpResponse:
    form = FlattenForm(request.POST if request.method == "POST" else None)
    return _solve(request, difference_id, "flatten", form, actions.flatten)


def _solve(request: HttpRequest, difference_id: int, name: str, form: forms.Form, verb: Verb) -> HttpResponse:
    try:
        one = queries.find(difference_id)
    except queries.NoSuchDifference as error:
        raise Http404(str(error)) from error
    principal = principal_of(request)
    if form.is_valid():
        try:
            solved = verb(difference_id, form.cleaned_data["reason"], principal)
        except actions.CannotSolve as error:
            form.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        else:
            messages.success(request, f"The difference at {solved.account} is {solved.state}.")
            return redirect("ui:reconciliation")
    device: Any = "code" not in form.fields or (second_factor.device_of(principal.user) if principal.user else None)
    context = {"one": queries.difference_row(one), "form": form, "device": device, "verb": name.capitalize()}
    context |= {"says": _SAYS[name], "over": one.state not in (Difference.State.OPEN, Difference.State.IGNORED)}
    return render(request, "inbox/solve.html", context, status=422 if form.is_bound else 200)
