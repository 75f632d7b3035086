"""What a live feed says of itself and of its market, apart from bars."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading.engine.risk import Denial


class FeedSigns(msgspec.Struct):
    """Written by a feed, read by its session. ``halted``: symbols that the venue says do not trade, and why.
    ``lost``: why the bars are not the venue's own just now, empty while they are."""

    halted: Mapping[str, str] = {}
    lost: str = ""

    def halts(self) -> dict[str, Denial]:
        return {
            symbol: Denial(code="venue_halt", message=f"{symbol} does not trade at the venue: {why}")
            for symbol, why in self.halted.items()
        }

    def degraded(self) -> Denial | None:
        return Denial(code="data_degraded", message=self.lost) if self.lost else None
