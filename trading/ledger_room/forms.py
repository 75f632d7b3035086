"""What the page of the ledger is asked for."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import QueryDict

from trading.accounts import KINDS
from trading.ledger_room.queries import BOOKS, Wanted

_LABELS: Final = {"symbol": "Symbol", "side": "Side", "status": "State", "kind": "What"}


class LedgerForm(forms.Form):
    """Of one table; a field that the table does not have is not asked for."""

    run = forms.CharField(required=False, max_length=120, label="Run", widget=forms.TextInput({"type": "search"}))
    account = forms.ChoiceField(
        required=False, label="Kind", choices=[("", "Any"), *((kind, kind.capitalize()) for kind in KINDS)]
    )
    since = forms.DateField(
        required=False, label="First day, UTC", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(required=False, label="Last day, UTC", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))

    def __init__(self, table: str, asked: QueryDict) -> None:
        super().__init__(asked, label_suffix="")
        for name, values in BOOKS[table].choices.items():
            choices = [("", "Any"), *((value, value.replace("_", " ")) for value in values)]
            self.fields[name] = (
                forms.ChoiceField(required=False, choices=choices, label=_LABELS[name])
                if values
                else forms.CharField(required=False, max_length=50, label=_LABELS[name])
            )
        self.order_fields(["run", "account", *BOOKS[table].choices, "since", "until"])
        for field in self.fields.values():
            field.widget.attrs["autocomplete"] = "off"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "is before the first day: choose a later one")
        return cleaned

    def wanted(self) -> Wanted:
        """Of a form that is valid."""
        return Wanted(**self.cleaned_data)
