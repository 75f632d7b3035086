"""What the kill control and the list of halts need, so that a page includes them without knowing of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template

from access.principals import principal_of
from risk import queries
from risk.queries import HaltsView, KillView

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: template.Context, scope: str) -> bool:
    """Whether who looks at the page may do ``scope``: what they may not do is not offered."""
    return principal_of(context["request"]).may(scope)


@register.simple_tag
def kill_view() -> KillView:
    return queries.kill_view()


@register.simple_tag
def halts_view() -> HaltsView:
    return queries.halts_view()


_FIGURES = {
    "gate_closed_ms": "Gate closed",
    "cancels_sent_ms": "Cancels sent",
    "open_orders_zero_ms": "No open order",
    "flat_ms": "Flat",
    "sessions_ended_ms": "Sessions ended",
}


@register.filter
def kill_figures(measured: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    """The steps of a kill with their milliseconds; that of being flat where it was asked for."""
    for name, words in _FIGURES.items():
        if name != "flat_ms" or measured.get("flatten"):
            yield words, measured.get(name)
