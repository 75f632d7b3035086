"""How figures without a unit are written, beside those of `trading.templatetags.figures`."""

from __future__ import annotations

from typing import Any

from django import template

from trading.templatetags.figures import MINUS, NOT_KNOWN

register = template.Library()


@register.filter
def figure(value: Any, places: int = 2) -> str:
    """Rounded, with a real minus; an em dash for what is not known."""
    return NOT_KNOWN if value is None else f"{value:,.{places}f}".replace("-", MINUS)
