"""What the pages of the installation are asked for."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from access import second_factor
from access.principals import Principal
from access.scopes import Scope
from alphaswarm_site.rooms.audit import Wanted
from alphaswarm_site.rooms.display import DENSITIES, EXCHANGE, THEMES, Display, is_zone

#: From the least to the most.
SCOPES: Final = tuple(scope.value for scope in Scope)


def _text(label: str) -> forms.CharField:
    return forms.CharField(required=False, max_length=120, label=label, widget=forms.TextInput({"autocomplete": "off"}))


def _day(label: str) -> forms.DateField:
    return forms.DateField(required=False, label=label, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


class AuditForm(forms.Form):
    actor = _text("Who")
    verb = _text("What")
    target = _text("To what")
    address = _text("From")
    since = _day("First day, UTC")
    until = _day("Last day, UTC")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "It is before the first day: choose a later one.")
        return cleaned

    def wanted(self) -> Wanted:
        """Of a form that is valid."""
        return Wanted(**self.cleaned_data)


def _choices(values: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(value, value.capitalize()) for value in values]


class DisplayForm(forms.Form):
    theme = forms.ChoiceField(choices=_choices(THEMES))
    density = forms.ChoiceField(choices=_choices(DENSITIES))
    zone = forms.ChoiceField(
        label="Times are written in",
        choices=[("UTC", "UTC"), (EXCHANGE, "The exchange's time (New York)"), ("own", "My own time zone")],
    )
    own = forms.CharField(
        required=False,
        max_length=60,
        label="My time zone",
        help_text="Such as Europe/Berlin",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("zone") == "own" and not is_zone(cleaned.get("own", "")):
            self.add_error("own", "This is no time zone: write one such as Europe/Berlin.")
        return cleaned

    def display(self) -> Display:
        """Of a form that is valid."""
        given = self.cleaned_data
        return Display(given["theme"], given["density"], given["own"] if given["zone"] == "own" else given["zone"])

    @classmethod
    def showing(cls, display: Display) -> DisplayForm:
        known = display.zone in ("UTC", EXCHANGE)
        zone = {"zone": display.zone, "own": ""} if known else {"zone": "own", "own": display.zone}
        return cls(initial={"theme": display.theme, "density": display.density, **zone}, label_suffix="")


class TokenForm(forms.Form):
    """A token can do no more than who makes it; a one-time code is asked for where none was given lately."""

    name = forms.CharField(max_length=100, label="What it is for", widget=forms.TextInput({"autocomplete": "off"}))
    scope = forms.ChoiceField(label="May")
    expires_days = forms.IntegerField(min_value=1, max_value=3650, initial=90, label="Days until it expires")
    code = forms.CharField(
        label="One-time code",
        max_length=12,
        required=False,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, request: HttpRequest, principal: Principal) -> None:
        super().__init__(request.POST if request.method == "POST" else None, label_suffix="", auto_id="token_%s")
        self._request = request
        self.fields["scope"].choices = [(one, one) for one in SCOPES if principal.may(one)]  # type: ignore[attr-defined]
        if second_factor.fresh(request):
            del self.fields["code"]

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if not code or not second_factor.verify(self._request, code):
            raise ValidationError("This code is wrong, was used before, or followed a wrong one too soon.")
        return code
