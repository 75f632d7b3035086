"""Drills on a page: ``{% drills_view as drilled %}``."""

from __future__ import annotations

from typing import Any, Final

from django import template

from trading.guard.drills import last_drills

register = template.Library()

#: What a kill is to keep, in milliseconds.
GOAL: Final = 250.0
WIDTH: Final = 720.0
HEIGHT: Final = 160.0
_LISTED: Final = 10


@register.simple_tag
def drills_view() -> dict[str, Any]:
    """The last drills, and a line of how long each took until no order was open; in ``chart`` all is in its units."""
    drills = last_drills()
    return {"drills": drills[:_LISTED], "chart": chart([drill.open_orders_zero_ms for drill in reversed(drills)])}


def chart(milliseconds: list[float | None]) -> dict[str, Any] | None:
    """The points of a line over the drills, oldest first, None where fewer than two were confirmed."""
    known = [figure for figure in milliseconds if figure is not None]
    if len(known) < 2:
        return None
    top = max(*known, GOAL) * 1.1
    step = WIDTH / (len(known) - 1)
    points = [f"{number * step:.1f},{HEIGHT * (1 - figure / top):.1f}" for number, figure in enumerate(known)]
    return {
        "points": " ".join(points),
        "goal": round(HEIGHT * (1 - GOAL / top), 1),
        "goal_ms": GOAL,
        "low": min(known),
        "high": max(known),
        "count": len(known),
    }
