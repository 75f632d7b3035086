"""What can be asked of a venue from outside, by a process that has sent it no order itself."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from brokers.sightings import VenueOrder
from trading.engine.errors import Rejected
from trading.engine.orders import OrderRecord


class OutOfReach(Rejected):
    """Only the connection that sent the order can cancel it; `Enduring.cancel_all` reaches it, and everybody's."""


class VenueClock(msgspec.Struct, frozen=True):
    """A venue's own clock: the time (ns, UTC), and whether the regular session is open, None where it does not tell."""

    time: int
    is_open: bool | None = None


class Enduring(ABC):
    """A venue that goes on without the process that trades there: who has its credentials can ask what is open, and
    withdraw it. Calls block; their errors are those of `trading.engine.errors`."""

    @abstractmethod
    def reach(self) -> None:
        """Open as much of a connection as questions and cancels need; raises `Fatal` or `Transient`."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def query_open_orders(self) -> list[VenueOrder]:
        """Every order of the account that may still trade, those of other runs and hands too."""

    @abstractmethod
    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        """One order as the venue shows it now, open or over; None where it shows none."""

    @abstractmethod
    def withdraw(self, shown: VenueOrder) -> None:
        """Ask for a cancel of an order that the venue has shown, whoever sent it; the next question tells what came of
        it. Raises `OutOfReach`."""

    def query_clock(self) -> VenueClock | None:
        """What the venue's clock shows; None where it has none."""
        return None

    @abstractmethod
    def cancel_all(self) -> int:
        """Cancel every open order of the account; returns how many were asked for."""
