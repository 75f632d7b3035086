"""How a tear sheet writes its figures, its months and its charts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django import template
from django.utils.safestring import SafeString

from trading.templatetags.figures import MINUS, NOT_KNOWN, money, percent, pnl, qty

register = template.Library()

_SECONDS_PER_DAY: Final = 86_400
_SHADES: Final = 4


def _ratio(value: Any) -> str:
    return f"{float(value):,.2f}".replace("-", MINUS)


def _days(value: Any) -> str:
    days = float(value)
    return span(days * _SECONDS_PER_DAY) if 0 < days < 2 else f"{days:,.0f} days"


@register.filter
def span(seconds: Any) -> str:
    """``12 days``, ``3.5 h``, ``12 min``: a length of time by its largest unit."""
    length = float(seconds)
    if length >= 2 * _SECONDS_PER_DAY:
        return f"{length / _SECONDS_PER_DAY:,.1f} days"
    if length >= 2 * 3600:
        return f"{length / 3600:.1f} h"
    return f"{length / 60:.1f} min" if length >= 60 else f"{length:.0f} s"


_WRITERS: Final = {
    "percent": percent,
    "ratio": _ratio,
    "money": money,
    "pnl": pnl,
    "count": qty,
    "days": _days,
    "time": span,
    "times": lambda value: f"{_ratio(value)}\N{MULTIPLICATION SIGN}",
}


@register.filter
def as_form(value: Any, form: str) -> SafeString | str:
    """A figure in the form that `trading.tearsheet.figures.Figure` names; a dash for what is not defined."""
    return NOT_KNOWN if value is None else _WRITERS[form](value)


@register.filter
def share(value: Any) -> str:
    """``+1.2%`` from 0.012, short enough for a cell of a table of months."""
    if value is None:
        return ""
    text = f"{float(value) * 100:+.1f}%"
    return text.replace("-", MINUS) if float(text[:-1]) else "0.0%"


@register.filter
def shade(value: Any, largest: Any) -> str:
    """``gain-1`` to ``gain-4`` or ``loss-1`` to ``loss-4``, by the size beside the ``largest``; empty for nothing."""
    if not value or not largest:
        return ""
    step = min(_SHADES, 1 + int(_SHADES * abs(float(value)) / float(largest)))
    return f"{'gain' if value > 0 else 'loss'}-{step}"


@register.filter
def nanos_when(nanos: Any) -> str:
    """A day, or a minute, of event time: ``2024-06-10 14:30``, UTC."""
    return f"{datetime.fromtimestamp(int(nanos) // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"
