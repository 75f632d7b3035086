"""Charts of backtests for docs/strategies.md: `python -m scripts.strategy_charts [RECIPE ...]`.

Each shipped strategy's recipe is run over its own bars and drawn to docs/strategies/RECIPE.svg: the price of one symbol
with its fills, and dotted where orders rested to the end, or all symbols, each in percent; and below it the equity.
Where the strategy invests all of its money, equal parts of all symbols, bought and held, are drawn beside it.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import django
import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
django.setup()

from trading.backtest import Curve, drive  # noqa: E402  (models need settings)
from trading.bounds import bounded  # noqa: E402
from trading.engine.engine import Engine  # noqa: E402
from trading.engine.orders import Side  # noqa: E402
from trading.engine.records import Kind, Record  # noqa: E402
from trading.parts import assemble  # noqa: E402
from trading.recipes import load_named  # noqa: E402
from trading.recipes.reading import PROJECT  # noqa: E402

FOLDER = PROJECT / "docs" / "strategies"
#: Recipe, how many of its bars, and the symbol whose price is drawn; None draws all of them, each in percent.
CHARTS = {
    "sim_sma_cross": (780, "SPY"),
    "sim_mean_reversion": (3_900, "SPY"),
    "sim_breakout": (756, "SPY"),
    "sim_momentum": (5_040, None),
    "avellaneda_stoikov": (390, "ACME"),
    "lucic_tse_options": (5_070, "ACME"),
    "sim_limit_ladder": (3_000, "ACME"),
}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "alphaswarm",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.edgecolor": "#8a929c",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
}
#: Quotes that move with every bar are not drawn.
_MOST_LINES = 10
BUY, SELL, LINE, QUIET = "#1a7f4b", "#c0362c", "#2457a6", "#98a1ab"

Prices = dict[str, list[float]]


def ran(name: str, bars: int) -> tuple[Engine, Curve, Prices, list[int]]:
    """A recipe's run, its equity by bar, and all closes by symbol and stamp."""
    recipe = load_named(name)
    # As fast as it goes, and thereby from a fixed day on: the same chart whenever it is drawn.
    feed = recipe.feed.model_copy(update={"kwargs": {**recipe.feed.kwargs, "pace": "max"}})
    parts = assemble(recipe.model_copy(update={"feed": feed}))
    parts.prepare()
    seen = list(bounded(parts.feed.bars(), bars, None))
    engine, curve = parts.engine(UUID(int=0)), Curve()
    drive(engine, parts.brokerage, seen, curve)
    prices: Prices = defaultdict(list)
    for bar in seen:
        prices[bar.symbol].append(bar.close)
    return engine, curve, prices, sorted({bar.time for bar in seen})


def draw(name: str, bars: int, symbol: str | None) -> Path:
    engine, curve, prices, stamps = ran(name, bars)
    places = {stamp: place for place, stamp in enumerate(stamps)}
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 5.2), height_ratios=[3, 2], sharex=True, layout="constrained"
    )
    if symbol is None:
        for closes in prices.values():
            above.plot([100 * (close / closes[0] - 1) for close in closes], color=QUIET, linewidth=0.7)
        above.set_ylabel("each share, % since the start")
    else:
        above.plot(prices[symbol], color=LINE, linewidth=0.9)
        above.set_ylabel(f"{symbol}, close")
    fills = [record for record in engine.records if record.kind is Kind.ORDER_FILLED and record.fill is not None]
    for side, marker, color in ((Side.BUY, "^", BUY), (Side.SELL, "v", SELL)):
        points = [_point(fill, places, prices, symbol) for fill in fills if _is_drawn(fill, side, symbol)]
        if points:
            above.plot(*zip(*points, strict=True), marker, color=color, markersize=4.5, label=f"{side} ({len(points)})")
    resting = [order for order in engine.orders.values() if order.symbol == symbol and not order.filled_qty]
    for order in resting if len(resting) <= _MOST_LINES else ():
        if order.limit_price is not None:
            above.axhline(float(order.limit_price), color=QUIET, linewidth=0.8, linestyle=":")
    if fills:
        above.legend(loc="best", frameon=False)
    last_of_stamp = dict(zip(curve.times, curve.equity, strict=True))
    below.plot([last_of_stamp[stamp] for stamp in stamps], color=LINE, linewidth=1.1, label="strategy")
    if symbol is None:
        growth = [sum(close / closes[0] for closes, close in zip(prices.values(), row, strict=True)) / len(prices)
                  for row in zip(*prices.values(), strict=True)]  # fmt: skip
        below.plot([curve.equity[0] * factor for factor in growth], color=QUIET, linewidth=0.9, label="buy and hold")
        below.legend(loc="best", frameon=False)
    below.set_ylabel("equity")
    below.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _label_time(below, stamps)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def _is_drawn(fill: Record, side: Side, symbol: str | None) -> bool:
    return fill.fill is not None and fill.fill.side is side and symbol in (None, fill.fill.symbol)


def _point(record: Record, places: dict[int, int], prices: Prices, symbol: str | None) -> tuple[int, float]:
    assert record.fill is not None
    price = float(record.fill.price)
    if symbol is None:
        price = 100 * (price / prices[record.fill.symbol][0] - 1)
    return places[record.time], price


def _label_time(axes: plt.Axes, stamps: list[int]) -> None:
    """Bars lie side by side, nights and weekends take no room; a few of them are named."""
    days = stamps[-1] - stamps[0] > 20 * 86_400_000_000_000
    at = [round(part * (len(stamps) - 1) / 6) for part in range(7)]
    moments = [datetime.fromtimestamp(stamps[place] / 1e9, UTC) for place in at]
    axes.set_xticks(at, [f"{moment:%Y-%m-%d}" if days else f"{moment:%d %b %H:%M}" for moment in moments])
    axes.set_xlim(0, len(stamps) - 1)


def main() -> None:
    with mpl.rc_context(STYLE):
        for name in sys.argv[1:] or CHARTS:
            print(draw(name, *CHARTS[name]).relative_to(PROJECT))


if __name__ == "__main__":
    main()
