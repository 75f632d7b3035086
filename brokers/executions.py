"""An execution, as fees are reckoned from it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from trading.engine.instruments import Instrument


class Execution(NamedTuple):
    """``qty`` units at ``price`` (quote currency per unit) at ``time`` (ns); ``first`` of its order or not."""

    instrument: Instrument
    buy: bool
    qty: Decimal
    price: Decimal
    time: int
    first: bool

    @property
    def notional(self) -> Decimal:
        return self.qty * self.price * self.instrument.multiplier
