"""Made-up bars of options, by a model on the made-up prices of their underlying."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from trading.engine.instruments import OptionTerms
from trading.engine.option_pricing import option_price, years_between
from trading.feeds.markets import TICKS_PER_UNIT, Block, Path
from trading.feeds.tables import Floats

#: What options imply over what their underlying does: they are a little dear, as in most markets.
PREMIUM: Final = 1.1
#: How much dearer low strikes are, and how much both wings, per standard deviation of moneyness and its square.
SKEW: Final = -0.06
WINGS: Final = 0.02
#: Half of the spread: a cent, and a part of the price.
HALF_SPREAD: Final = 0.01
#: Units of the underlying that are traded for one contract.
UNITS_PER_CONTRACT: Final = 5000

_WIDEST: Final = 3.0


def smile(spot: float, strike: float, years: float, volatility: float) -> float:
    """The implied volatility of a strike; ``volatility`` is the underlying's own (a year's, 0.25 is 25 percent)."""
    base = PREMIUM * volatility
    deviations = log(strike / spot) / (base * sqrt(years)) if years > 0 else 0.0
    deviations = min(max(deviations, -_WIDEST), _WIDEST)
    return base * (1 + SKEW * deviations + WINGS * deviations * deviations)


class OptionPath:
    """The made-up price of one option, block after block, worth what Black and Scholes say of a `smile`.

    ``underlying`` is a path of its own, the same as that of the underlying's bars; ``ends`` the option's last moment,
    ``interval`` the length of a bar (both ns).
    """

    def __init__(self, underlying: Path, terms: OptionTerms, ends: int, interval: int) -> None:
        self._underlying = underlying
        self._terms = terms
        self._ends = ends
        self._interval = interval

    def block(self, block: Block) -> tuple[Floats, ...]:
        """Open, high, low, close (quote currency, whole ticks), volume (contracts), bid and ask at the close (zero
        for no bid) of its bars."""
        *prices, volume = self._underlying.block(block)
        years = [years_between(time + self._interval, self._ends) for time in block.times.tolist()]
        worth = np.array([[self._worth(*pair) for pair in zip(row.tolist(), years, strict=True)] for row in prices])
        ticks = np.maximum(np.round(worth * TICKS_PER_UNIT), 1.0)
        opening, close = ticks[0], ticks[3]
        half = np.round(1 + HALF_SPREAD * close)
        columns = (opening, ticks.max(axis=0), ticks.min(axis=0), close, np.maximum(close - half, 0.0), close + half)
        *bars, bid, ask = (column / TICKS_PER_UNIT for column in columns)
        return *bars, np.maximum(np.round(volume / UNITS_PER_CONTRACT), 1.0), bid, ask

    def _worth(self, spot: float, years: float) -> float:
        terms, strike = self._terms, float(self._terms.strike)
        return option_price(terms.right, spot, strike, years, smile(spot, strike, years, self._underlying.volatility))
