"""What the navigation says of the inbox."""

from __future__ import annotations

from django import template

from trading.inbox import queries

register = template.Library()


@register.simple_tag
def open_difference_count() -> int:
    return queries.open_count()
