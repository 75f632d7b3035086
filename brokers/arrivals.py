"""Arrivals: market orders of others that come to our resting quotes, by chance but reproducibly.

Bars of a market's middle never reach the quotes on both sides of it. In the model of M. Avellaneda and S. Stoikov
(High-frequency trading in a limit order book, 2008) those are met by market orders that arrive as a Poisson process,
the more rarely the further away the quote is: with intensity A exp(-k d) at a distance of d from the middle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from math import exp
from typing import Any, Final

import msgspec

from brokers.matching import Seen, between
from brokers.settings import figures
from brokers.working import WorkingOrder
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderType

_MINUTE: Final = 60 * NANOS_PER_SECOND


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """``intensity``: market orders a minute that would reach a quote at the middle, for each side; ``decay``: by how
    much their logarithm falls per unit of price that the quote lies away from it; ``seed`` of the chance.

    What a bar's range reaches is filled as ever (`brokers.matching`). Any other limit order that rests through the
    whole of a bar is filled at its limit with probability 1 - exp(-intensity exp(-decay d) minutes), d being its
    distance from the bar's open. All of it is filled: how large the orders of others are is not modelled.

    One number is drawn per bar and side, from seed, symbol and time alone. So it depends on no order's name, on nothing
    that was drawn before, and of two quotes the one closer to the market is always filled first.
    """

    intensity: float
    decay: float
    seed: int = 1

    def reach(self, work: WorkingOrder, seen: Seen, whole: bool) -> Decimal | None:
        """The price at which a working order trades in the rest of a bar, or None: a `brokers.matching.Reach`."""
        price = between(work, seen, whole)
        if price is not None or not whole or work.type is not OrderType.LIMIT or work.limit is None:
            return price
        away = seen.bar.open - float(work.limit)
        distance = away if work.buy else -away
        chance = self.chance(distance, seen.interval / _MINUTE)
        return work.limit if self.draw(seen.bar.symbol, seen.bar.time, work.buy) < chance else None

    def chance(self, distance: float, minutes: float) -> float:
        """The probability that at least one market order comes as far as ``distance`` within so many minutes."""
        return 1.0 - exp(-self.intensity * exp(-self.decay * max(distance, 0.0)) * minutes)

    def draw(self, symbol: str, time: int, buy: bool) -> float:
        """The number of a bar and a side, evenly spread over [0, 1)."""
        text = f"{self.seed}|{symbol}|{time}|{'buy' if buy else 'sell'}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56


def read_arrivals(given: Mapping[str, Any] | None) -> Arrivals | None:
    """The model that a recipe describes, None for none; raises `InvalidValue` naming the field."""
    if given is None:
        return None
    read = figures("arrivals", given, ("intensity", "decay", "seed"))
    missing = sorted({"intensity", "decay"} - set(read))
    if missing:
        raise InvalidValue(
            f"arrivals.{missing[0]} is missing: write arrivals as {{intensity: 0.7, decay: 1.5, seed: 1}}"
        )
    seed = read.get("seed", Decimal(1))
    if seed != seed.to_integral_value():
        raise InvalidValue(f"arrivals.seed must be a whole number, not {seed}")
    return Arrivals(intensity=float(read["intensity"]), decay=float(read["decay"]), seed=int(seed))
