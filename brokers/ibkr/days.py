"""Which orders are of today: of executions and of orders that are over, Interactive Brokers tells today's alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from brokers.ibkr.wire import IbThread
from trading.engine.bars import to_nanos

_NEW_YORK: Final = ZoneInfo("America/New_York")
#: Nanoseconds by which the clock that an order was decided by may differ from the venue's.
_CLOCKS_DIFFER: Final = 60_000_000_000


async def is_of_today(wire: IbThread, decided_at: int | None) -> bool:
    """Whether an order that was decided on then (ns) is surely of today, so that the venue tells what became of it.

    Raises `Transient` where the venue does not tell the time.
    """
    since_midnight = wire.since_midnight()
    if decided_at is None or since_midnight is None:
        return False
    now = await wire.ask(wire.ib.reqCurrentTimeAsync)
    return decided_at >= to_nanos(began(now, since_midnight)) + _CLOCKS_DIFFER


def began(now: datetime, since_midnight: timedelta) -> datetime:
    """When the current day began: at the gateway's midnight, so long ago, or at New York's, whichever is later.

    The venue tells what was "since midnight", and not whose midnight it is.
    """
    in_new_york = now.astimezone(_NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(in_new_york, now - since_midnight)
