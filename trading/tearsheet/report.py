"""The tear sheet as a file: one HTML document that needs no network, no script and no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from trading import queries
from trading.charts import fills_of
from trading.forms import as_yaml
from trading.models import Run
from trading.tearsheet.candles import NoPrices, prices_of
from trading.tearsheet.page import drawn, symbols_of
from trading.tearsheet.reading import lines_of, sheet_of, trades_of
from trading.tearsheet.svg import Line, Mark, time_chart
from trading.templatetags.figures import MINUS, price

#: Of what may be many, how much the file shows.
MOST_TRADES: Final = 250
MOST_SYMBOLS: Final = 8
_STYLES: Final = ("tokens", "base", "bar", "pages", "figures", "sheet")


class NoFigures(Exception):
    """A run that has no equity yet has nothing to report."""


def report(run: Run) -> str:
    """The document. Raises `NoFigures`."""
    sheet = sheet_of(run)
    if sheet is None:
        raise NoFigures(f"{run} has no equity yet; a report can be made once its first bars are through")
    trades = trades_of(run)
    context = {
        "run": queries.run_row(run),
        "sheet": sheet,
        "styles": _styles(),
        **drawn(sheet),
        "charts": _charts(run),
        "prices": list(_prices(run)),
        "trades": list(reversed(trades[-MOST_TRADES:])),
        "left_out": max(0, (sheet.metrics.get("trades") or len(trades)) - MOST_TRADES),
        "recipe": as_yaml(run.recipe),
        "now": timezone.now(),
    }
    return render_to_string("tearsheet/report.html", context)


def file_name(run: Run) -> str:
    return f"{run.name.replace(' ', '_')}-{str(run.id)[:8]}.html"


def _styles() -> SafeString:
    found = (finders.find(f"css/{name}.css") for name in _STYLES)
    return mark_safe("\n".join(Path(path).read_text() for path in found if isinstance(path, str)))


def _charts(run: Run) -> dict[str, Any]:
    lines = lines_of(run)
    equity = [Line("holding", lines.holding), Line("equity", lines.equity)]
    drawdown = [Line("drawdown", lines.drawdown, filled=True)]
    return {
        "equity": time_chart("Equity of the run, and of buying and holding", equity, _whole),
        "drawdown": time_chart("Drawdown in percent", drawdown, _percent, height=170),
    }


def _prices(run: Run) -> Iterator[dict[str, Any]]:
    """A chart of prices and fills for each of the first symbols, those that traded before others."""
    for symbol in symbols_of(run)[:MOST_SYMBOLS]:
        try:
            candles, note = prices_of(run, symbol)
        except NoPrices as error:
            yield {"symbol": symbol, "note": str(error)}
            return
        closes = [(one.time, one.close) for one in candles]
        marks = [Mark(one["time"], one["price"], one["side"]) for one in fills_of(run.pk, [symbol])]
        shown = [one for one in marks if closes and closes[0][0] <= one.time <= closes[-1][0]]
        yield {
            "symbol": symbol,
            "note": note,
            "chart": time_chart(f"Closes of {symbol} with the fills", [Line("price", closes)], price, marks=shown),
        }


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace("-", MINUS)


def _percent(value: float) -> str:
    return f"{value:.3g}%".replace("-", MINUS)
