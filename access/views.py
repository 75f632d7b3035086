"""Log-in, log-out and the account page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from access import actions, audit, second_factor
from access.auth import page
from access.forms import AccountPasswordForm, CodeForm, EnrolForm, LoginForm, address_of
from access.principals import of_user, principal_of


class Login(LoginView):
    form_class = LoginForm
    template_name = "access/login.html"

    def form_valid(self, form: LoginForm) -> HttpResponse:  # type: ignore[override]
        user = form.get_user()
        response = super().form_valid(form)
        audit.record(replace(of_user(user), address=address_of(self.request)), "login", f"user:{user.pk}")
        return response

    def form_invalid(self, form: LoginForm) -> HttpResponse:  # type: ignore[override]
        status = 429 if form.has_error("__all__", "throttled") else 200
        return self.render_to_response(self.get_context_data(form=form), status=status)


login = Login.as_view()
logout = LogoutView.as_view(next_page=settings.LOGOUT_REDIRECT_URL)


@never_cache
@page("read")
def account(request: HttpRequest) -> HttpResponse:
    return _account(request)


@require_POST
@page("read")
def change_password(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = AccountPasswordForm(request, user, request.POST)
    if not form.is_valid():
        return _account(request, password_form=form)
    actions.change_password(user, form.cleaned_data["new_password1"], principal=principal_of(request))
    update_session_auth_hash(request, user)
    return _done(request, "Your password is changed; your other sessions are logged out.")


@require_POST
@page("read")
def begin_enrolment(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    if second_factor.device_of(user) is not None and not second_factor.fresh(request):
        messages.error(request, "Verify with the present device first.")
    else:
        second_factor.begin(user)
    return redirect("access:account")


@require_POST
@page("read")
def confirm_enrolment(request: HttpRequest) -> HttpResponse:
    form = EnrolForm(request, _user(request), request.POST)
    if not form.is_valid():
        return _account(request, enrol_form=form)
    if not second_factor.confirm(request, form.cleaned_data["code"]):
        form.add_error("code", "This code is not right: take the one that the device shows now.")
        return _account(request, enrol_form=form)
    return _done(request, "The second factor is in use.")


@require_POST
@page("read")
def verify(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _account(request, code_form=form)
    if not second_factor.verify(request, form.cleaned_data["code"]):
        form.add_error("code", "This code is wrong, was used before, or followed a wrong one too soon.")
        return _account(request, code_form=form)
    return _done(request, "Verified: it counts for the next five minutes.")


def _account(request: HttpRequest, **forms: BaseForm) -> HttpResponse:
    """The page as it stands; `forms` are those that came back with errors."""
    user = _user(request)
    waiting = second_factor.device_of(user, confirmed=False)
    context: dict[str, Any] = {
        "principal": principal_of(request),
        "rights": sorted(principal_of(request).scopes),
        "device": second_factor.device_of(user),
        "fresh": second_factor.fresh(request),
        "waiting": waiting,
        "secret": second_factor.secret_of(waiting) if waiting else "",
        "qr": second_factor.qr_of(waiting) if waiting else "",
        "password_form": AccountPasswordForm(request, user),
        "code_form": CodeForm(),
        "enrol_form": EnrolForm(request, user),
    } | forms
    return render(request, "access/account.html", context, status=422 if forms else 200)


def _done(request: HttpRequest, message: str) -> HttpResponse:
    messages.success(request, message)
    return redirect("access:account")


def _user(request: HttpRequest) -> User:
    user = principal_of(request).user
    if user is None:
        raise PermissionError("a page was served to nobody")
    return user
