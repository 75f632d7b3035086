"""Pages of whole accounts: what is used of their limits, changing those, and resetting a breaker."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from access import second_factor
from access.auth import page
from access.principals import principal_of
from risk import account_actions
from risk.account_actions import BadLimits, NoSuchAccount
from risk.account_limits import AccountLimits
from risk.views import ReleaseForm
from trading.account_room import queries


class LimitsForm(ReleaseForm):
    """A figure for each limit, none where it is empty. A code is needed where one lets more pass."""

    def __init__(self, request: HttpRequest, before: AccountLimits) -> None:
        super().__init__(request)
        self.before = before
        self.limits = before
        for name, value in before.model_dump().items():
            label = name.removeprefix("max_").replace("_", " ").capitalize()
            given = forms.CharField(label=f"Most {label.lower()}", required=False, initial=value, max_length=24)
            self.fields[name] = given
        self.order_fields([*AccountLimits.model_fields, "reason", "code"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        given = {name: cleaned.get(name) or None for name in AccountLimits.model_fields}
        try:
            self.limits = account_actions.read_limits(given)
        except BadLimits as error:
            for problem in error.problems:
                self.add_error(problem["field"], problem["message"])
        return cleaned

    def clean_code(self) -> str:
        """Left to `prove`: only what loosens needs one."""
        return str(self.cleaned_data["code"])

    @property
    def loosens(self) -> list[str]:
        return self.limits.loosens(self.before)

    def prove(self) -> bool:
        """Whether the caller may do what the form says; a wrong or missing code is an error of its field."""
        if not self.loosens or "code" not in self.fields:
            return True
        try:
            super().clean_code()
        except forms.ValidationError as error:
            self.add_error("code", error)
            return False
        return True


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def limits(request: HttpRequest, name: str) -> HttpResponse:
    try:
        form = LimitsForm(request, account_actions.limits_of(name))
    except NoSuchAccount as error:
        raise Http404(str(error)) from error
    if form.is_valid() and form.prove():
        reason, loosens = form.cleaned_data["reason"], bool(form.loosens)
        account_actions.set_limits(name, form.limits, reason, principal_of(request), may_loosen=loosens)
        messages.success(request, f"The limits of {name} hold from the next order on.")
        return redirect("ui:accounts")
    context = {"form": form, "device": _device(request), "account": queries.account(name)}
    return render(request, "risk/account_limits.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("admin")
def reset(request: HttpRequest, name: str) -> HttpResponse:
    breaker = next((row for row in queries.breakers() if row["name"] == name), None)
    if breaker is None:
        raise Http404(f"no breaker of {name}")
    form = ReleaseForm(request)
    if form.is_valid():
        account_actions.reset_breaker(name, form.cleaned_data["reason"], principal_of(request))
        messages.success(request, f"The breaker of {name} is reset; orders may leave again.")
        return redirect("ui:accounts")
    context = {"form": form, "device": _device(request), "breaker": breaker}
    return render(request, "risk/breaker_reset.html", context, status=422 if form.is_bound else 200)


def _device(request: HttpRequest) -> Any:
    principal = principal_of(request)
    return second_factor.device_of(principal.user) if principal.user else None
