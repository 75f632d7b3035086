"""The list of backtests: filtered, sorted and cut into pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import F, FloatField, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from trading import queries
from trading.metrics import scaled_from_bars
from trading.models import Mode, Run

PAGE: Final = 50
#: By what a list can be sorted; a drawdown is better the smaller it is.
ORDERS: Final = {
    "newest": "Newest first",
    "sharpe": "Highest Sharpe ratio",
    "total_return": "Highest return",
    "max_drawdown": "Smallest drawdown",
    "num_fills": "Most fills",
}
_FIGURES: Final = ("sharpe", "total_return", "max_drawdown")


@dataclass(frozen=True)
class Wanted:
    """``status`` and ``search`` as in `trading.queries.RunFilter`; an unknown ``order`` is ``newest``."""

    status: str = ""
    search: str = ""
    order: str = "newest"


def backtests(wanted: Wanted, number: str | None = None) -> Page[Run]:
    """A page of backtests; a number that is none is the first, one beyond the end the last."""
    found = queries.RunFilter(status=wanted.status, mode=Mode.BACKTEST, search=wanted.search)
    runs = found.apply(Run.objects.select_related("bot_version").defer("recipe"))
    return Paginator(_ordered(runs, wanted.order), PAGE).get_page(number)


def _ordered(runs: QuerySet[Run], order: str) -> QuerySet[Run]:
    newest = ("-created_at", "-id")
    if order in _FIGURES:
        runs = runs.alias(figure=Cast(KT(f"metrics__{order}"), FloatField()))
        by = F("figure").asc(nulls_last=True) if order == "max_drawdown" else F("figure").desc(nulls_last=True)
        return runs.order_by(by, *newest)
    return runs.order_by("-num_fills", *newest) if order == "num_fills" else runs.order_by(*newest)


def row(run: Run) -> dict[str, Any]:
    """A run as the list shows it, with more of its figures; ``short``: its Sharpe ratio is scaled from single bars."""
    more = ("annual_return", "trades", "win_rate")
    known = {**queries.run_row(run), **{name: run.metrics.get(name) for name in more}}
    return {**known, "short": scaled_from_bars(run.metrics)}
