"""What `base.html` needs on every page, so that no view has to pass it."""

from __future__ import annotations

from typing import Any

from django import template

from risk import promotion
from trading import queries
from trading.accounts import KINDS

register = template.Library()


@register.inclusion_tag("trading/_mode.html", name="mode_badge")
def mode_context() -> dict[str, Any]:
    """The kinds of money that sessions are trading now, what matters most first, and the accounts that may trade real
    money whether or not one does."""
    counts = queries.open_kinds()
    return {
        "kinds": [{"kind": kind, "count": counts[kind]} for kind in KINDS if kind in counts],
        "promoted": [one["account"] for one in promotion.standing()],
    }


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], *names: str) -> str:
    """``aria-current`` for the link of the section that the page is in."""
    match = context["request"].resolver_match
    return "page" if match is not None and match.url_name in names else "false"
