"""The kill control of the top bar: a fragment for HTMX, a page for everybody else."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from access import second_factor
from access.auth import page
from access.principals import principal_of
from risk import actions, queries
from risk.gate import Verdict


class EngageForm(forms.Form):
    reason = forms.CharField(max_length=1000)
    flatten = forms.BooleanField(required=False)


class ReleaseForm(forms.Form):
    reason = forms.CharField(max_length=1000, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    code = forms.CharField(
        label="One-time code",
        max_length=12,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self._request = request
        if second_factor.fresh(request):
            del self.fields["code"]

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if not code or not second_factor.verify(self._request, code):
            raise forms.ValidationError("This code is wrong, was used before, or followed a wrong one too soon.")
        return code


@never_cache
@require_http_methods(["GET", "HEAD"])
@page("read")
def kill(request: HttpRequest) -> HttpResponse:
    """The control as it is now. ``?seen=KEY`` answers 204 when that is still so, so that an open form stays open."""
    reading = queries.gate_reading()
    if reading.verdict is Verdict.ENGAGED:
        # While this page is open, what is not confirmed is measured again.
        actions.follow_up()
        key = queries.kill_view().key
    else:
        key = queries.key_of(reading)
    if request.GET.get("seen") == key:
        return HttpResponse(status=204)
    return _shown(request)


@require_http_methods(["POST"])
@page("halt")
def engage(request: HttpRequest) -> HttpResponse:
    form = EngageForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    actions.kill(form.cleaned_data["reason"], principal_of(request), flatten=form.cleaned_data["flatten"])
    return _shown(request) if request.htmx else redirect("ui:kill")  # type: ignore[attr-defined]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def release(request: HttpRequest) -> HttpResponse:
    form = ReleaseForm(request)
    if form.is_valid():
        actions.release(form.cleaned_data["reason"], principal_of(request))
        messages.success(request, "The kill switch is released; orders may leave again.")
        return redirect("ui:kill")
    principal = principal_of(request)
    device = second_factor.device_of(principal.user) if principal.user else None
    context = {"form": form, "device": device, "view": queries.kill_view(), "what_if": queries.what_if()}
    return render(request, "risk/release.html", context, status=422 if form.is_bound else 200)


def _shown(request: HttpRequest, form: EngageForm | None = None, status: int = 200) -> HttpResponse:
    template = "risk/_kill.html" if request.htmx else "risk/kill.html"  # type: ignore[attr-defined]
    return render(request, template, {"engage_form": form}, status=status)
