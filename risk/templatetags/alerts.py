"""What the bell and the latest alerts need, so that a page includes them without knowing of them."""

from __future__ import annotations

from typing import Any

from django import template

from risk.alerts import queries

register = template.Library()


@register.simple_tag
def open_alerts() -> dict[str, int]:
    return queries.open_by_urgency()


@register.simple_tag
def latest_open_alerts() -> list[dict[str, Any]]:
    return queries.latest_open()


@register.filter
def severity_tone(severity: str) -> str:
    """The tone of `trading`'s states in which a severity is shown."""
    return {"critical": "alarm", "warning": "look"}.get(severity, "calm")
