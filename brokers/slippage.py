"""Slippage: how much worse than the bar's own price a simulated order trades, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final, Literal

import msgspec

from brokers.settings import figures
from brokers.working import ZERO
from trading.engine.bars import price_of
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument

_BASIS: Final = Decimal(10_000)
_TWO: Final = Decimal(2)
_ONE: Final = Decimal(1)
#: The step of a part of a fractional order that a bar's volume allows.
_FRACTION: Final = Decimal("0.000001")


class Slippage(msgspec.Struct, frozen=True, kw_only=True):
    """A model of slippage; its parts add up.

    ``bps`` basis points of the price. ``spread`` in the quote currency per unit: each side pays half of it; a bar that
    carries a quote has its own spread instead. ``volume_share``: all orders of a symbol together trade at most this
    part of a bar's volume, the rest waits for the next bar. ``impact``: the price moves by ``impact`` times the square
    of the part of the bar's volume that was traded so far, as in zipline's VolumeShareSlippage
    (zipline/finance/slippage.py; its defaults are 0.025 and 0.1).
    """

    bps: Decimal = ZERO
    spread: Decimal = ZERO
    volume_share: Decimal | None = None
    impact: Decimal = ZERO

    def price(self, price: Decimal, buy: bool, instrument: Instrument, quoted: bool, share: Decimal = ZERO) -> Decimal:
        """``price`` moved against the trader, onto the instrument's tick; ``share`` is the part of the bar's volume."""
        off = price * (self.bps / _BASIS + self.impact * share * share)
        if not quoted:
            off += self.spread / _TWO
        return instrument.worse(price + off if buy else price - off, buy)


class Volume:
    """How much of one bar's volume is still to be had, over all orders of its symbol."""

    __slots__ = ("_all", "_share", "used")

    def __init__(self, volume: float, share: Decimal) -> None:
        self._all = price_of(volume)
        self._share = share
        self.used = ZERO

    def allowed(self, qty: Decimal, instrument: Instrument) -> Decimal:
        """The part of ``qty`` that the bar still allows, in whole lots; whole orders are filled in whole units."""
        left = self._all * self._share - self.used
        if qty <= left:
            return qty
        lot = instrument.lot or (_ONE if qty == qty.to_integral_value() else _FRACTION)
        return max((left / lot).to_integral_value(ROUND_FLOOR) * lot, ZERO)

    def take(self, qty: Decimal) -> Decimal:
        """Trade ``qty``; the part of the bar's volume that was traded so far."""
        self.used += qty
        return self.used / self._all


def read_slippage(given: Mapping[str, Any] | Literal["none"] | None) -> Slippage | None:
    """The model that a recipe describes, None for none; raises `InvalidValue` naming the field."""
    if not given or given == "none":
        return None
    if not isinstance(given, Mapping):
        raise InvalidValue(f"slippage must be none or a mapping such as {{bps: 2}}, not {given!r}")
    read = figures("slippage", given, ("bps", "spread", "volume_share", "impact"))
    share = read.get("volume_share")
    if share is not None and not 0 < share <= 1:
        raise InvalidValue(f"slippage.volume_share must be more than 0 and at most 1, not {share}")
    if "impact" in read and share is None:
        raise InvalidValue("slippage.impact is a function of the share of volume: give slippage.volume_share too")
    return Slippage(**read)
