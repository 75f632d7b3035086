"""What the pages of the installation are asked for."""

from __future__ import annotations

from typing import Any

from django import forms

from alphaswarm_site.rooms.audit import Wanted


def _text(label: str) -> forms.CharField:
    return forms.CharField(required=False, max_length=120, label=label, widget=forms.TextInput({"autocomplete": "off"}))


def _day(label: str) -> forms.DateField:
    return forms.DateField(required=False, label=label, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


class AuditForm(forms.Form):
    actor = _text("Who")
    verb = _text("What")
    target = _text("To what")
    address = _text("From")
    since = _day("First day")
    until = _day("Last day")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "It is before the first day: choose a later one.")
        return cleaned

    def wanted(self) -> Wanted:
        """Of a form that is valid."""
        return Wanted(**self.cleaned_data)
