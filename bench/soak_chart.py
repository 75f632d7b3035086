"""The chart of a soak: one small panel a figure, time to the right, from zero up."""

from __future__ import annotations

from typing import Any, Final
from xml.sax.saxutils import escape

_WIDE: Final = 300
_HIGH: Final = 90
_COLUMNS: Final = 3
_STYLE: Final = (
    "text{font:11px sans-serif;fill:#555}.n{font-weight:600;fill:#222}polyline{fill:none;stroke:#2563eb;"
    "stroke-width:1.5}.leak polyline{stroke:#dc2626}line{stroke:#ccc}"
)


def chart(document: dict[str, Any]) -> str:
    """An SVG document of the soak's JSON."""
    series = document["series"]
    rows = -(-len(series) // _COLUMNS)
    wide, high = _COLUMNS * (_WIDE + 30) + 10, rows * (_HIGH + 50) + 40
    title = (
        f"{document['sessions']} sessions, {document['minutes']:g} minutes, {document['date']}, {document['commit']}"
    )
    panels = "".join(_panel(each, number) for number, each in enumerate(series))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
        f'<text class="n" x="10" y="20">{escape(title)}</text>{panels}</svg>\n'
    )


def _panel(series: dict[str, Any], number: int) -> str:
    left, top = 10 + number % _COLUMNS * (_WIDE + 30), 40 + number // _COLUMNS * (_HIGH + 50)
    most, end = max([*series["values"], 1e-9]), max([*series["seconds"], 1e-9])
    points = " ".join(
        f"{x / end * _WIDE:.1f},{_HIGH - y / most * _HIGH:.1f}"
        for x, y in zip(series["seconds"], series["values"], strict=True)
    )
    said = f"{series['values'][-1]:,.1f} {series['unit']}  {series['slope']:+,.2f} an hour" if series["values"] else ""
    kind = ' class="leak"' if series["leaks"] else ""
    return (
        f'<g transform="translate({left},{top})"{kind}><text class="n" y="10">{escape(series["name"])}</text>'
        f'<text y="24">{escape(said)}</text><g transform="translate(0,30)">'
        f'<line x1="0" y1="{_HIGH}" x2="{_WIDE}" y2="{_HIGH}"/><polyline points="{points}"/></g></g>'
    )
