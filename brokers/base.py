"""What every venue offers, in a synchronous and an asynchronous form.

An adapter maps, sends, and reports what the venue said; it decides nothing. Its errors are those of
`trading.engine.errors`, named by the reaction that they need. What becomes of an order after the call comes as
`VenueUpdate`, in the order in which the venue told it.

An adapter writes one form and has the other by a bridge: `brokers.threaded` for clients that block, `brokers.looped`
for those that await.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from brokers.observing import observed
from brokers.sightings import VenueOrder
from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue, Rejected
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, Side
from trading.engine.updates import VenueUpdate

STARTING_CASH: Final = Decimal(100_000)
#: A float of it is still exact to more than a cent.
MOST_CASH: Final = Decimal(10**13)


class VenuePosition(msgspec.Struct, frozen=True):
    """Units that the venue says are held; negative is short.

    ``unit_value`` is what one is worth with its multiplier: by the venue's price where that is told, else by what it
    has cost; None where neither is.
    """

    symbol: str
    qty: Decimal
    unit_value: Decimal | None = None


class VenueAccount(msgspec.Struct, frozen=True):
    """Money as the venue states it, in the account's currency, and what it says that the account may do.

    ``entitlements`` are in the venue's words, by what they are about; empty where it says nothing of them. ``blocked``
    is why the venue lets nothing be traded, empty where it does.
    """

    account: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    entitlements: dict[str, str] = {}
    blocked: str = ""


class VenueClock(msgspec.Struct, frozen=True):
    """A venue's own clock: the time (ns, UTC), and whether the regular session is open, None where it does not tell."""

    time: int
    is_open: bool | None = None


class VenueFill(msgspec.Struct, frozen=True, kw_only=True):
    """``qty`` units traded at ``price`` (quote currency per unit) for a ``fee``, at ``time`` (ns, UTC).

    ``client_order_id`` is empty where the venue does not say it. ``execution_id`` is what an update of the same fill is
    called too. A venue that tells an order's progress alone may show several executions as one here, or have told them
    as one before: what must agree are the sums of an order, not the ids.
    """

    client_order_id: str
    venue_order_id: str
    execution_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    time: int


class Recalled(msgspec.Struct, frozen=True):
    """An order that was sent by another process for the same run, and what the run's books have of it: the ``value``
    of its fills at their prices, their ``fee`` in all (both in the account's currency, the value without the contract's
    multiplier), and the ids of their executions. ``decided_at`` is when it was decided on by the wall clock, in
    nanoseconds, which its ``created_at`` is not where a feed has a time of its own; 0 where that is not known.

    A venue that changes an order in place counts the fills of the order whose place this one took as its own: they are
    in ``value`` and ``fee``, and ``before`` is their quantity."""

    order: OrderRecord
    value: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    execution_ids: frozenset[str] = frozenset()
    decided_at: int = 0
    before: Decimal = Decimal(0)


class OutOfReach(Rejected):
    """Only the connection that sent the order can cancel it; `IBrokerage.cancel_all` reaches it, and everybody's."""


class NotOffered(Rejected):
    """The venue has no such question; the message says which."""


class Venue:
    """What a driver knows of any venue.

    ``live`` is whether the money is real. ``starting_cash`` is what the run's books begin with, and flat: at a real
    venue the part of the account that the run may use. A ``shared`` account holds orders, positions and money that are
    none of the run's, and goes on without the process that trades in it. One that ``holds_reduce_only`` lets a
    reduce-only order trade no more than closes the position, whatever it was sent for; others know no such order.
    """

    venue: str
    live: bool = False
    shared: bool = False
    holds_reduce_only: bool = False
    account_type: AccountType = AccountType.UNLEVERED
    starting_cash: Decimal = STARTING_CASH
    #: How often the stream of updates has come up. A driver that sees it grow asks for what it may have missed.
    connections: int = 0

    @property
    def account(self) -> str:
        """The name of the account that runs at this venue share; empty where each run is an account of its own."""
        return f"{self.venue}-{'live' if self.live else 'paper'}" if self.shared else ""

    #: The driver's last word on an order, asked in the moment before it is sent, in whatever thread that is.
    may_leave: Callable[[OrderRecord], bool] = staticmethod(lambda order: True)

    def expect(self, interval: int, instruments: Mapping[str, Instrument]) -> None:
        """Hear what bars there will be, one every ``interval`` ns (0 while unknown), and which instruments trade by
        other rules than their symbols say. For simulated venues."""

    def expect_no_bars(self) -> None:
        """Hear that no bar will come any more, so that an order from here on trades now or never. For simulated
        venues."""

    def recall(self, orders: Sequence[Recalled]) -> None:
        """Hear, before connecting, which orders the run has at the venue from before, so that they are known as its
        own, and told from where its books have them. For venues that go on by themselves."""

    def on_bar(self, bar: Bar) -> bool:
        """See a market bar before the strategy does; whether that may have made updates. For simulated venues."""
        return False


def read_cash(starting_cash: Decimal | float) -> Decimal:
    """The cash that a recipe gives a run; raises `InvalidValue` unless it is more than zero and at most `MOST_CASH`."""
    cash = Decimal(str(starting_cash))
    if not cash.is_finite() or cash <= 0:
        raise InvalidValue(f"starting_cash must be more than zero, not {starting_cash}")
    if cash > MOST_CASH:
        raise InvalidValue(f"starting_cash must be at most {MOST_CASH:,}, not {starting_cash}")
    return cash


class IBrokerage(Venue, ABC):
    """A venue by blocking calls, each with a timeout. Updates gather until `drain_updates` takes them.

    Questions raise `Transient`, `Fatal`, or `NotOffered`; an empty answer is the venue's word that there is nothing.
    """

    @abstractmethod
    def connect(self) -> None:
        """Open the connection; raises `Fatal` when it can never work, `Transient` when it may later, and another try of
        the same adapter is in order."""

    def reach(self) -> None:
        """Open as much of a connection as questions and cancels from outside need, beside the process that trades;
        raises as `connect` does."""

    @abstractmethod
    def close(self) -> None: ...

    @property
    @abstractmethod
    def updates_healthy(self) -> bool:
        """Whether order updates are flowing; no order may leave while they are not."""

    @abstractmethod
    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        """Send a new order with those that depend on it (see `trading.engine.effects.Submit`).

        Raises `Rejected`, or `Unknown` when it may have arrived.
        """

    @abstractmethod
    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        """Put ``by`` in the place of an open order in one step; raises as `submit_order` does.

        Done, the old order is told as replaced and the new one as accepted; refused, the new one as rejected, and the
        old one stays as it was.
        """

    @abstractmethod
    def cancel_order(self, order: OrderRecord) -> None:
        """Ask for a cancel; the outcome comes as an update."""

    @abstractmethod
    def withdraw(self, shown: VenueOrder) -> None:
        """Ask for a cancel of an order that the venue has shown, whoever sent it; the next question tells what came of
        it. Raises `OutOfReach`."""

    @abstractmethod
    def cancel_all(self) -> int:
        """Cancel every open order of this account; returns how many were asked for."""

    @abstractmethod
    def drain_updates(self) -> list[VenueUpdate]:
        """The updates since the last call, oldest first."""

    @abstractmethod
    def listen(self, hear: Callable[[VenueUpdate], None]) -> None:
        """Have each update told as it comes, from then on, instead of gathering it."""

    @abstractmethod
    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        """One order as the venue shows it now, open or over, by our id; None where it shows none."""

    @abstractmethod
    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        """Every order of the account that was made at ``since`` (ns) or later, open or over, those of other runs and
        hands too; all that the venue still lists where it is None."""

    @abstractmethod
    def query_open_orders(self) -> list[VenueOrder]:
        """Every order of the account that may still trade, those of other runs and hands too."""

    @abstractmethod
    def query_fills(self, since: int) -> list[VenueFill]:
        """What was traded in the account at ``since`` (ns) or later, oldest first."""

    @abstractmethod
    def query_positions(self) -> list[VenuePosition]: ...

    @abstractmethod
    def query_account(self) -> VenueAccount: ...

    def query_clock(self) -> VenueClock | None:
        """What the venue's clock shows; None where it has none."""
        return None


class IAsyncBrokerage(Venue, ABC):
    """The same by awaitable calls. Updates arrive on ``_order_event_queue``."""

    _order_event_queue: asyncio.Queue[VenueUpdate]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        observed(cls, suffix="_async")

    @abstractmethod
    async def connect_async(self) -> None: ...

    @abstractmethod
    async def close_async(self) -> None: ...

    @property
    @abstractmethod
    def updates_healthy(self) -> bool: ...

    @abstractmethod
    async def submit_order_async(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None: ...

    @abstractmethod
    async def replace_order_async(self, order: OrderRecord, by: OrderRecord) -> None: ...

    @abstractmethod
    async def cancel_order_async(self, order: OrderRecord) -> None: ...

    async def cancel_orders_async(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
        """Ask for the cancels of all, none waiting for another; for each, why it was not taken."""
        return await asyncio.gather(*map(self.cancel_order_async, orders), return_exceptions=True)

    @abstractmethod
    async def withdraw_async(self, shown: VenueOrder) -> None: ...

    @abstractmethod
    async def cancel_all_async(self) -> int: ...

    @abstractmethod
    async def query_order_async(self, order: OrderRecord) -> VenueOrder | None: ...

    @abstractmethod
    async def query_orders_async(self, since: int | None = None) -> list[VenueOrder]: ...

    @abstractmethod
    async def query_open_orders_async(self) -> list[VenueOrder]: ...

    @abstractmethod
    async def query_fills_async(self, since: int) -> list[VenueFill]: ...

    @abstractmethod
    async def query_positions_async(self) -> list[VenuePosition]: ...

    @abstractmethod
    async def query_account_async(self) -> VenueAccount: ...

    async def query_clock_async(self) -> VenueClock | None:
        return None


class Brokerage(IBrokerage, IAsyncBrokerage):
    """A venue in both forms, as recipes name it."""
