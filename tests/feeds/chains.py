"""Small made-up files of option quotes beside the bars of their underlying."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.feeds.tables import HEADER
from trading.engine.instruments import Right, option_symbol
from trading.engine.option_pricing import NANOS_PER_YEAR, option_price
from trading.feeds import QuotesFeed

COLUMNS = "timestamp,underlying,right,strike,expiry,bid,bid_size,ask,ask_size"
OPENING = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
EXPIRIES = (date(2024, 1, 19), date(2024, 2, 16))
STRIKES = (97.5, 100, 102.5)


def stamp(minute: int) -> str:
    return (OPENING + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def quote(minute: int = 0, option: str = "ACME,call,100.0,2024-01-19", figures: str = "2.1,10,2.2,20") -> str:
    return f"{stamp(minute)},{option},{figures}"


def bar(minute: int = 0, price: float = 100.0) -> str:
    return f"{stamp(minute)},ACME,{price},{price},{price},{price},1000"


def write(folder: Path, quotes: Iterable[str], bars: Iterable[str], header: str = COLUMNS) -> tuple[Path, Path]:
    files = folder / "quotes.csv", folder / "bars.csv"
    files[0].write_text("\n".join([header, *quotes]) + "\n")
    files[1].write_text("\n".join([HEADER, *bars]) + "\n")
    return files


def prepared(files: tuple[Path, Path], universe: Sequence[str]) -> QuotesFeed:
    feed = QuotesFeed(universe=universe, quotes=str(files[0]), path=str(files[1]))
    feed.prepare()
    return feed


def symbols() -> list[str]:
    return [
        option_symbol("ACME", expiry, right, Decimal(str(strike)))
        for expiry in EXPIRIES
        for strike in STRIKES
        for right in Right
    ]


def market(folder: Path, minutes: int, seed: int = 1, vol: float = 0.2, implied: float = 0.22) -> tuple[Path, Path]:
    """A session of an underlying that moves by ``vol`` while its options are quoted on a smile around ``implied``."""
    moves = random.Random(seed)
    step = vol / math.sqrt(252 * 390)
    price = 100.0
    quotes, bars = [], []
    for minute in range(minutes):
        price *= math.exp(step * moves.gauss(0, 1))
        bars.append(bar(minute, round(price, 2)))
        for expiry in EXPIRIES:
            for strike in STRIKES:
                for right in Right:
                    figures = _quoted(right, price, strike, (expiry - OPENING.date()).days, implied, moves)
                    quotes.append(quote(minute, f"ACME,{right},{strike},{expiry}", figures))
    return write(folder, quotes, bars)


def _quoted(right: Right, spot: float, strike: float, days: int, implied: float, moves: random.Random) -> str:
    years = days * 86_400 * 10**9 / NANOS_PER_YEAR
    vol = implied - 0.1 * math.log(strike / spot) + 0.0005 * moves.gauss(0, 1)
    worth = option_price(right, spot, strike, years, vol)
    bid = max(math.floor(worth * 100) - 2, 0)
    ask = math.ceil(worth * 100) + 2
    return f"{bid / 100},{moves.randint(1, 500)},{ask / 100},{moves.randint(1, 500)}"
