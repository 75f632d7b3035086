"""A small market for stub venues that are started by hand: prices that wander, the same for the same seed."""

from __future__ import annotations

import random
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, SupportsFloat

#: How far a close wanders from the one before, how strongly it is drawn back to where it began, and how far a bar's
#: range reaches past open and close, as parts of the price: a mean reversion over an hour trades every few minutes.
STEP, PULL, REACH = 0.0015, 0.02, 0.0005
MINUTE = timedelta(minutes=1)
#: A market that is faster than time has so much of the past to show before it comes to the present.
PAST = timedelta(days=1)


class Bar(NamedTuple):
    """One minute's prices, in the currency of the first one; ``start`` in UTC."""

    symbol: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int

    @property
    def prices(self) -> tuple[float, float, float, float]:
        return self.open, self.high, self.low, self.close


def wander(
    prices: Mapping[str, float], start: datetime, seed: int = 1, last: Mapping[str, SupportsFloat] | None = None
) -> Iterator[list[Bar]]:
    """Minute after minute from ``start`` a bar of each symbol, beginning at these prices.

    A bar opens where the one before closed, or at the ``last`` price, which somebody else may have moved.
    """
    draws = random.Random(seed)
    closes = dict(prices)
    while True:
        bars = []
        for symbol, base in prices.items():
            opening = float((closes if last is None else last)[symbol])
            close = round(max(opening * (1 + draws.gauss(0, STEP)) + (base - opening) * PULL, 0.01), 2)
            reach = base * REACH * draws.random()
            high = round(max(opening, close) + reach, 2)
            low = round(max(min(opening, close) - reach, 0.01), 2)
            bars.append(Bar(symbol, start, opening, high, low, close, draws.randrange(100, 10_000)))
            closes[symbol] = close
        yield bars
        start += MINUTE


def run(
    prices: Mapping[str, float],
    show: Callable[[Bar], None],
    *,
    every: float,
    seed: int,
    over: threading.Event,
    last: Mapping[str, SupportsFloat] | None = None,
) -> None:
    """Show a minute's bars every so many seconds, and none before its minute is over, until ``over`` is set."""
    start = datetime.now(UTC).replace(second=0, microsecond=0) - PAST
    minutes = wander(prices, start, seed, last)
    while True:
        start += MINUTE
        # A minute is made up when it is over: meanwhile somebody may move its price.
        if over.wait(max(every, (start - datetime.now(UTC)).total_seconds())):
            return
        for bar in next(minutes):
            show(bar)


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--price", action="append", default=[], metavar="SYMBOL=PRICE", help="where a symbol begins")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="let a minute's bars come every so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the bars")


def first_prices(options: Namespace) -> dict[str, float]:
    return {symbol: float(price) for symbol, _, price in (text.partition("=") for text in options.price)}


def serve(options: Namespace, show: Callable[[Bar], None], last: Mapping[str, SupportsFloat]) -> None:
    """Let the market move as the options say, and on from what was traded ``last``, until Ctrl-C."""
    over = threading.Event()
    try:
        if options.every and options.price:
            run(first_prices(options), show, every=options.every, seed=options.seed, over=over, last=last)
        over.wait()
    except KeyboardInterrupt:
        over.set()
