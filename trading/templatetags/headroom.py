"""How the Risk page writes what is used of a limit, and how fast a stop was."""

from __future__ import annotations

from typing import Any

from django import template

from trading.templatetags.figures import money, percent, qty

register = template.Library()

_UNITS = {"money": money, "fraction": percent, "qty": qty, "count": qty}


@register.filter
def in_unit(value: Any, unit: str) -> str:
    """A figure as its unit is written: money to the cent, a fraction in percent, seconds and minutes by name."""
    write = _UNITS.get(unit)
    return write(value) if write is not None else f"{qty(value)} {unit}"


@register.filter
def milliseconds(value: Any) -> str:
    """``17 ms``; what was not seen to happen is said so."""
    return "not confirmed" if value is None else f"{float(value):.0f} ms"
