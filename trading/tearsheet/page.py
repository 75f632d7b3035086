"""What the pages of backtests show of a run."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from redis.exceptions import RedisError

from trading import frames, queries
from trading.models import Mode, Position, Run
from trading.tearsheet.reading import Sheet, lists_all, sheet_of, trades_of
from trading.tearsheet.svg import histogram
from trading.templatetags.figures import money, percent

#: Round trips on a page of them.
TRADES: Final = 25
_LATEST: Final = 50
#: A month that moved less is not shaded as if it were the largest.
_FULL_SHADE: Final = 0.01


def sheet_page(run: Run, trades_page: str | None = None) -> dict[str, Any]:
    """All that the page of a run's tear sheet shows; ``sheet`` is None while there is no equity."""
    # A session is measured as it stands: what moves is on the run's own page.
    working = run.mode == Mode.BACKTEST and run.status in queries.ACTIVE
    sheet = sheet_of(run)
    context: dict[str, Any] = {
        "run": queries.run_row(run),
        "stopping": run.stop_requested_at is not None,
        "working": working,
        "progress": progress_of(run) if working else None,
        "sheet": sheet,
        "symbols": symbols_of(run) if sheet else [],
    }
    if sheet is not None:
        context |= {"trades": trades_page_of(run, trades_page), "lists_all": lists_all(run), **drawn(sheet)}
    return context


def drawn(sheet: Sheet) -> dict[str, Any]:
    """What the server draws of a sheet, and the largest month, by which the others are shaded."""
    return {
        "days": histogram("How daily returns are spread", sheet.days, percent),
        "results": histogram("How the results of round trips are spread", sheet.results, money),
        "largest": max([_FULL_SHADE, *(abs(month) for year in sheet.months for month in year.months if month)]),
    }


def trades_page_of(run: Run, number: str | None) -> Any:
    """A page of round trips, the newest first."""
    return Paginator(trades_of(run)[::-1], TRADES).get_page(number)


def symbols_of(run: Run) -> list[str]:
    """The symbols of a run, those that traded first."""
    # What was ever traded has a position, if only of nothing; its fills may be a million.
    traded = set(Position.objects.filter(run=run).values_list("symbol", flat=True))
    universe = list(dict.fromkeys([*run.recipe.get("universe", []), *sorted(traded)]))
    return sorted(universe, key=lambda symbol: symbol not in traded)


def progress_of(run: Run) -> dict[str, Any] | None:
    """How far a backtest has come, by its latest frame: ``bars``, ``total`` (None: unknown), ``fills`` and
    ``seconds_left``. None before the first one."""
    try:
        latest = frames.read_latest(run.pk, _LATEST)
    except RedisError:
        return None
    told = [frame for frame in latest if frame["stage"] == "bar.processed"]
    return told[-1] if told else None
