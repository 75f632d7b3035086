"""What both bridges share: the account, and the updates that gather for whoever drives the blocking form."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from brokers.base import STARTING_CASH, Brokerage, read_cash
from trading.engine.updates import VenueUpdate


class BridgedBrokerage(Brokerage):
    """A venue whose client offers one of the two forms; ``starting_cash`` is the part of the account that the run may
    use."""

    shared = True

    def __init__(self, starting_cash: Decimal | float = STARTING_CASH) -> None:
        self.starting_cash = read_cash(starting_cash)
        self._order_event_queue: asyncio.Queue[VenueUpdate] = asyncio.Queue()
        self._updates: deque[VenueUpdate] = deque()
        self._hear: Callable[[VenueUpdate], None] = self._updates.append
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self, hear: Callable[[VenueUpdate], None]) -> None:
        self._hear = hear

    def drain_updates(self) -> list[VenueUpdate]:
        taken = []
        while self._updates:
            taken.append(self._updates.popleft())
        return taken
