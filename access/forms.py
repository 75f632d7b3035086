"""Forms of the log-in and account pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from access import audit, throttle
from access.principals import ANONYMOUS


class LoginForm(AuthenticationForm):
    """Django's, with a brake on guessing."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs, label_suffix="")

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username") or ""
        address = address_of(self.request)
        count_attempt(username, address)
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            audit.record(replace(ANONYMOUS, address=address), "login.refuse", f"address:{address}", username=username)
            raise
        throttle.forgive(username, address)
        return cleaned


class AccountPasswordForm(PasswordChangeForm):
    """Django's, with the same brake on guessing the present password."""

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs, label_suffix="", auto_id="password_%s")
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.address = address_of(request)

    def clean_old_password(self) -> str:
        count_attempt(self.user.get_username(), self.address)
        password: str = super().clean_old_password()
        throttle.forgive(self.user.get_username(), self.address)
        return password


class CodeForm(forms.Form):
    """A one-time code, as an authenticator shows it; blanks do not matter."""

    prefix_of_ids = "verify"

    code = forms.CharField(
        label="One-time code",
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, label_suffix="", auto_id=f"{self.prefix_of_ids}_%s")

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if not (code.isascii() and code.isdigit()):
            raise ValidationError("A code is made of digits.")
        return code


class EnrolForm(CodeForm):
    """Taking a device into use asks for the password too: a browser left open must not be enough."""

    prefix_of_ids = "enrol"

    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.address = address_of(request)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        count_attempt(self.user.get_username(), self.address)
        if not self.user.check_password(password):
            raise ValidationError("This is not your password.")
        throttle.forgive(self.user.get_username(), self.address)
        return password


def address_of(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR") or "local" if request else "local"


def count_attempt(username: str, address: str) -> None:
    try:
        throttle.attempt(username[:150], address)
    except throttle.TooMany as error:
        raise ValidationError(f"{error}.", code="throttled") from error
