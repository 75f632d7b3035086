"""Up to five runs beside each other: their curves from one base, their figures, and where their recipes differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from trading import charts, queries
from trading.bots.queries import flat, in_order
from trading.engine.errors import InvalidValue
from trading.models import Run
from trading.tearsheet.figures import FIGURES, Figure
from trading.tearsheet.reading import metrics_of

MOST: Final = 5
#: Where every curve begins.
BASE: Final = 100.0
_LETTERS: Final = "ABCDE"

Row = dict[str, Any]


class Cell(NamedTuple):
    value: Any
    best: bool


class Line(NamedTuple):
    """A figure, or a field of the recipes, with one cell for each run."""

    figure: Figure
    cells: list[Cell]


def chosen(asked: Sequence[str]) -> list[Run]:
    """The runs of these ids, in the order of the ids, each once and at most five; those that are none are left out.

    Raises `InvalidValue` where more are asked for.
    """
    ids: dict[UUID, None] = {}
    for text in asked:
        try:
            ids[UUID(text)] = None
        except ValueError:
            continue
    if len(ids) > MOST:
        raise InvalidValue(f"{len(ids)} runs are too many to compare: choose {MOST} at most")
    found = Run.objects.select_related("bot_version").in_bulk(list(ids))
    return [found[run_id] for run_id in ids if run_id in found]


def compared(runs: Sequence[Run]) -> Row:
    """``runs`` with a ``letter`` each, ``lines`` of figures with the best of each marked, and the ``recipes``' fields
    that are not the same in all."""
    known = [metrics_of(run) for run in runs]
    return {
        "runs": [{**queries.run_row(run), "letter": letter} for run, letter in zip(runs, _LETTERS, strict=False)],
        "lines": [_line(one, [metrics.get(one.key) for metrics in known]) for one in FIGURES],
        "recipes": differing([run.recipe for run in runs]),
    }


def _line(figure: Figure, values: Sequence[Any]) -> Line:
    """The best is marked where one figure is better than another; alike they are all as good."""
    known = [float(value) for value in values if value is not None]
    best = None
    if figure.better and len(known) > 1 and min(known) < max(known):
        best = max(known) if figure.better == "high" else min(known)
    return Line(figure, [Cell(value, value is not None and float(value) == best) for value in values])


def differing(recipes: Sequence[Mapping[str, Any]]) -> list[Row]:
    """``{"field", "values"}`` of each field that differs, in a recipe's usual order; None where a recipe has none."""
    flattened = [dict(flat(recipe)) for recipe in recipes]
    rows = []
    for name in in_order({name for one in flattened for name in one}):
        values = [one.get(name) for one in flattened]
        if any(value != values[0] for value in values):
            rows.append({"field": name, "values": values})
    return rows


def curves(runs: Sequence[Run]) -> list[Row]:
    """The equity of each run over time, as if each had begun with `BASE`: ``{"name", "points"}``."""
    return [{"name": letter, "points": _rebased(run)} for run, letter in zip(runs, _LETTERS, strict=False)]


def _rebased(run: Run) -> charts.Points:
    cash = float(run.starting_cash)
    return [(time, BASE * equity / cash) for time, equity in charts.equity_of(run)] if cash else []
