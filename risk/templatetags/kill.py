"""What the top bar's kill control needs, so that a page includes it without knowing of it."""

from __future__ import annotations

from django import template

from risk import queries
from risk.queries import KillView

register = template.Library()


@register.simple_tag
def kill_view() -> KillView:
    return queries.kill_view()
