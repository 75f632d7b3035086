"""Charts as SVG, drawn by the server: they need no script, and take their colours from the page's stylesheet.

Coordinates are those of the view box; every stroke keeps its width whatever the size that a page gives it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from trading.results.periods import Bin

Points = Sequence[tuple[float, float]]
Write = Callable[[float], str]

WIDTH: Final = 960.0
_LEFT: Final = 8.0
_RIGHT: Final = 74.0
_TOP: Final = 12.0
_BOTTOM: Final = 26.0
_STEPS: Final = 5
_DAY: Final = 86_400.0
_MARK: Final = 5.0


@dataclass(frozen=True)
class Line:
    """``points`` as (seconds, value), drawn in the stylesheet's colour for ``name``; ``filled`` down to ``base``."""

    name: str
    points: Points
    filled: bool = False


@dataclass(frozen=True)
class Mark:
    """A fill on a price: an arrow up below it for a buy, down above it for a sale."""

    time: float
    price: float
    side: str


@dataclass(frozen=True)
class _Plane:
    """From figures to coordinates."""

    first: float
    last: float
    low: float
    high: float
    height: float

    def x(self, time: float) -> float:
        span = self.last - self.first or 1.0
        return round(_LEFT + (time - self.first) / span * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.height - _BOTTOM - (value - self.low) / span * (self.height - _TOP - _BOTTOM), 1)


def time_chart(
    title: str, lines: Sequence[Line], write: Write, height: float = 300.0, marks: Iterable[Mark] = (), base: float = 0
) -> SafeString:
    """Lines over time with their scales; empty where no line has a point."""
    points = [point for line in lines for point in line.points]
    if not points:
        return mark_safe("")
    values, times = [value for _, value in points], [time for time, _ in points]
    if any(line.filled for line in lines):
        values.append(base)
    steps = ticks(min(values), max(values))
    plane = _Plane(min(times), max(times), min(*values, steps[0]), max(*values, steps[-1]), height)
    parts = [
        format_html_join(
            "", '<path class="plot__grid" d="M{} {}H{}"/>', ((_LEFT, plane.y(at), WIDTH - _RIGHT) for at in steps)
        ),
        format_html_join(
            "",
            '<text class="plot__scale" x="{}" y="{}">{}</text>',
            ((WIDTH - _RIGHT + 8, plane.y(at) + 4, write(at)) for at in steps),
        ),
        _time_scale(plane),
        *(_drawn(line, plane, base) for line in lines if line.points),
        _marked(marks, plane),
    ]
    return _svg(title, height, parts)


def ticks(low: float, high: float, about: int = _STEPS) -> list[float]:
    """Round figures (1, 2, 2.5 or 5 times a power of ten apart) from ``low`` or below it to ``high`` or above it."""
    if high - low < sys.float_info.min * about:
        # Apart by less than a figure can be divided by.
        low, high = low - (abs(low) * 0.01 or 1.0), high + (abs(high) * 0.01 or 1.0)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _time_scale(plane: _Plane) -> SafeString:
    span = plane.last - plane.first
    form = "%Y-%m-%d" if span > 4 * _DAY else "%m-%d %H:%M"
    anchors = ((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end"))
    rows = [(plane.first + part * span, anchor) for part, anchor in (anchors if span else anchors[:1])]
    texts = (
        (plane.x(time), plane.height - 6, anchor, f"{datetime.fromtimestamp(time, UTC):{form}}")
        for time, anchor in rows
    )
    return format_html_join("", '<text class="plot__scale" x="{}" y="{}" text-anchor="{}">{}</text>', texts)


def _drawn(line: Line, plane: _Plane, base: float) -> SafeString:
    path = "M" + "L".join(f"{plane.x(time)} {plane.y(value)}" for time, value in line.points)
    drawn = format_html('<path class="plot__line plot__line--{}" d="{}"/>', line.name, path)
    if not line.filled:
        return drawn
    first, last, floor = plane.x(line.points[0][0]), plane.x(line.points[-1][0]), plane.y(base)
    return format_html(
        '<path class="plot__area plot__area--{}" d="{}L{} {}L{} {}Z"/>{}',
        line.name,
        path,
        last,
        floor,
        first,
        floor,
        drawn,
    )


def _marked(marks: Iterable[Mark], plane: _Plane) -> SafeString:
    return format_html_join(
        "", '<path class="plot__mark plot__mark--{}" d="{}"/>', ((one.side, _arrow(one, plane)) for one in marks)
    )


def _arrow(mark: Mark, plane: _Plane) -> str:
    x, y = plane.x(mark.time), plane.y(mark.price)
    away = 3.0 if mark.side == "buy" else -3.0
    tail = away + (2 * _MARK if mark.side == "buy" else -2 * _MARK)
    return f"M{x} {y + away:.1f}L{x - _MARK:.1f} {y + tail:.1f}L{x + _MARK:.1f} {y + tail:.1f}Z"


def histogram(title: str, bins: Sequence[Bin], write: Write, height: float = 220.0) -> SafeString:
    """Bars of counts, those of losses and those of gains apart; each tells its range and count on hover."""
    if not bins:
        return mark_safe("")
    most = max(one.count for one in bins)
    wide = (WIDTH - 2 * _LEFT) / len(bins)
    tall = height - _TOP - _BOTTOM

    def bar(at: int, one: Bin) -> tuple[str, float, float, float, float, str]:
        size = round(tall * one.count / most, 1)
        told = f"{write(one.low)} to {write(one.high)}: {one.count}"
        left = round(_LEFT + at * wide + wide * 0.06, 1)
        return _sign(one), left, round(height - _BOTTOM - size, 1), round(wide * 0.88, 1), size, told

    rects = format_html_join(
        "",
        '<rect class="plot__bar plot__bar--{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (bar(at, one) for at, one in enumerate(bins)),
    )
    zero = next((at for at, one in enumerate(bins) if one.low >= -1e-12), len(bins))
    labels = [(_LEFT, "start", write(bins[0].low)), (WIDTH - _LEFT, "end", write(bins[-1].high))]
    if 0.1 < zero / len(bins) < 0.9:
        labels.append((round(_LEFT + zero * wide, 1), "middle", write(0.0)))
    floor = height - _BOTTOM
    parts = [
        rects,
        format_html('<path class="plot__axis" d="M{} {}H{}"/>', _LEFT, floor, WIDTH - _LEFT),
        format_html_join(
            "",
            '<text class="plot__scale" x="{}" y="{}" text-anchor="{}">{}</text>',
            ((x, height - 6, anchor, text) for x, anchor, text in labels),
        ),
    ]
    return _svg(title, height, parts)


def _sign(one: Bin) -> str:
    return "loss" if one.high <= 1e-12 and one.low < 0 else "gain"


def _svg(title: str, height: float, parts: Iterable[SafeString]) -> SafeString:
    return format_html(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        height,
        title,
        mark_safe("".join(parts)),
    )
