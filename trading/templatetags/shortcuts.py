"""The keys that lead to pages, for the sheet that lists them and the script that heeds them."""

from __future__ import annotations

from typing import Final

from django import template
from django.urls import reverse

from trading.templatetags.layout import GROUPS

register = template.Library()

#: Keys pressed one after the other, by the name of the page that they lead to.
SHORTCUTS: Final = {
    "ui:portfolio": "g p",
    "ui:runs": "g r",
    "ui:bots": "g b",
    "ui:backtests": "g t",
    "ui:sweeps": "g s",
    "ui:run_new": "g n",
    "ui:risk": "g k",
    "ui:reconciliation": "g i",
    "ui:accounts": "g a",
    "ui:alerts": "g l",
    "ui:ledger": "g e",
    "site:system": "g y",
}


@register.simple_tag
def shortcuts() -> list[dict[str, str]]:
    """The pages that keys lead to, in the order of the navigation: ``title``, ``url`` and ``keys``."""
    return [
        {"title": one.title, "url": reverse(one.name), "keys": SHORTCUTS[one.name]}
        for sections in GROUPS.values()
        for one in sections
        if one.name in SHORTCUTS
    ]
