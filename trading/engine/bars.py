"""Bars and timeframes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from trading.engine.errors import InvalidValue

NANOS_PER_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Bar(msgspec.Struct, gc=False):
    """One bar of one symbol.

    ``time`` is the bar's start, in integer nanoseconds since the epoch, UTC. Prices are floats in the quote currency
    per unit, volume is in units. ``bid`` and ``ask`` are the quote at the bar's close, zero where none is known. A bar
    is never changed once made.
    """

    symbol: str
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    bid: float = 0.0
    ask: float = 0.0


class Timeframe(StrEnum):
    """The length of a bar, as recipes spell it."""

    SECOND = "1Sec"
    MINUTE = "1Min"
    FIVE_MINUTES = "5Min"
    HOUR = "1Hour"
    DAY = "1Day"

    @property
    def seconds(self) -> int:
        return _SECONDS[self]

    @property
    def nanos(self) -> int:
        return _SECONDS[self] * NANOS_PER_SECOND


_SECONDS: Final = {
    Timeframe.SECOND: 1,
    Timeframe.MINUTE: 60,
    Timeframe.FIVE_MINUTES: 300,
    Timeframe.HOUR: 3600,
    Timeframe.DAY: 86400,
}


def to_datetime(nanos: int) -> datetime:
    """Nanoseconds since the epoch as an aware UTC datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def to_nanos(moment: datetime) -> int:
    """An aware datetime as integer nanoseconds since the epoch, exact to the microsecond."""
    if moment.tzinfo is None:
        raise InvalidValue(f"time {moment.isoformat()} has no time zone; add one, for example Z")
    delta = moment - _EPOCH
    return ((delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000


def price_of(value: float) -> Decimal:
    """A bar's price as the decimal that was written in its source: the shortest text that reads back as it."""
    return Decimal(repr(value))
