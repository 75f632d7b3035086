"""What the page of a sweep draws: a heat map of two parameters, and the curve that walked forward."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any, Final

from trading.engine.bars import to_datetime

Row = dict[str, Any]
Scored = tuple[dict[str, Any], float]

#: Shades on either side of zero; each has a class of its own in sweeps.css.
SHADES: Final = 4
#: More values of a parameter than these are put into bins.
MOST_VALUES: Final = 24
BINS: Final = 12
#: How the trials that share a cell are put together.
SUMMARIES: Final[dict[str, Callable[[list[float]], float]]] = {"median": median, "best": max, "worst": min}

WIDTH, HEIGHT = 720, 200


def heat_map(trials: Sequence[Scored], x: str, y: str | None, summary: str = "median") -> Row | None:
    """``columns`` and ``rows`` of cells: ``score``, ``shade`` (``m4`` … ``0`` … ``4``, zero in the middle), ``count``.

    ``trials`` are parameters and scores. Without ``y`` there is one row. None without trials.
    """
    if not trials:
        return None
    label_x, columns = _axis(params[x] for params, _ in trials)
    label_y, lines = _axis(params[y] if y else "" for params, _ in trials)
    cells: dict[tuple[str, str], list[float]] = {}
    for params, score in trials:
        cells.setdefault((label_y(params[y] if y else ""), label_x(params[x])), []).append(score)
    scores = {where: float(SUMMARIES[summary](shared)) for where, shared in cells.items()}
    reach = max(abs(score) for score in scores.values()) or 1.0
    rows = []
    for line in lines:
        row = []
        for column in columns:
            found = scores.get((line, column))
            shade = None if found is None else _shade(found / reach)
            row.append({"column": column, "score": found, "shade": shade, "count": len(cells.get((line, column), ()))})
        rows.append({"label": line, "cells": row})
    return {"columns": columns, "rows": rows, "x": x, "y": y}


def _shade(part: float) -> str:
    shade = round(part * SHADES)
    return f"m{-shade}" if shade < 0 else str(shade)


def _axis(values: Iterable[Any]) -> tuple[Callable[[Any], str], list[str]]:
    """How a value is called on this axis, and all names in order."""
    found = list(values)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
    if not numbers:
        return str, sorted({str(one) for one in found})
    known = sorted(set(found))
    if len(known) <= MOST_VALUES:
        return _number, [_number(one) for one in known]
    low, width = known[0], (known[-1] - known[0]) / BINS
    names = [f"{_number(low + width * at)} to {_number(low + width * (at + 1))}" for at in range(BINS)]
    return lambda value: names[min(BINS - 1, math.floor((value - low) / width))], names


def _number(value: float) -> str:
    return f"{value:.6g}"


def walked_chart(curve: Sequence[Sequence[float]]) -> Row | None:
    """The points of two lines in a box of 720 x 200, and what stands beside them; None for less than two points."""
    if len(curve) < 2:
        return None
    levels = [1.0, *(level for point in curve for level in point[1:])]
    low, high = min(levels), max(levels)
    first, last = curve[0][0], curve[-1][0]

    def height(level: float) -> float:
        return round(HEIGHT - (level - low) / ((high - low) or 1.0) * HEIGHT, 1)

    def line(at: int) -> str:
        return " ".join(f"{(point[0] - first) / (last - first) * WIDTH:.1f},{height(point[at])}" for point in curve)

    return {
        "walked": line(1),
        "hindsight": line(2),
        "zero": height(1.0),
        "high": high - 1,
        "low": low - 1,
        "from": to_datetime(int(first)),
        "to": to_datetime(int(last)),
    }
