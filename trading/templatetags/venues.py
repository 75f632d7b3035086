"""Filters of the pages of accounts at venues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import template

register = template.Library()

_TONES: Final = {True: "busy", False: "alarm", None: "calm"}
_TITLES: Final = {"rest": "REST", "clock": "Clock skew", "market": "Market open"}


@register.filter
def verdict(ok: bool | None) -> str:
    return {True: "yes", False: "no", None: "not known"}[ok]


@register.filter
def verdict_tone(ok: bool | None) -> str:
    return _TONES[ok]


@register.filter
def part_name(name: str) -> str:
    return _TITLES.get(name, name.capitalize())


@register.filter
def part_tone(finding: Mapping[str, Any], name: str) -> str:
    """A closed market is no fault of the account."""
    return "calm" if name == "market" and finding["ok"] is False else _TONES[finding["ok"]]
