"""What every venue offers, in a synchronous and an asynchronous form.

An adapter maps, sends, and reports what the venue said; it decides nothing. Its errors are those of
`trading.engine.errors`, named by the reaction that they need. What becomes of an order after the call comes as
`VenueUpdate`, in the order in which the venue told it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord
from trading.engine.updates import VenueUpdate

STARTING_CASH: Final = Decimal(100_000)
#: A float of it is still exact to more than a cent.
MOST_CASH: Final = Decimal(10**13)


class VenuePosition(msgspec.Struct, frozen=True):
    """Units that the venue says are held; negative is short."""

    symbol: str
    qty: Decimal


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


class Venue:
    """What a driver knows of any venue.

    ``live`` is whether the money is real. ``starting_cash`` is what the run's books begin with, and flat: at a real
    venue the part of the account that the run may use. A ``shared`` account holds orders, positions and money that are
    none of the run's. One that ``holds_reduce_only`` lets a reduce-only order trade no more than closes the position,
    whatever it was sent for; others know no such order.
    """

    venue: str
    live: bool = False
    shared: bool = False
    holds_reduce_only: bool = False
    account_type: AccountType = AccountType.UNLEVERED
    starting_cash: Decimal = STARTING_CASH

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
    """A venue by blocking calls. Updates gather until `drain_updates` takes them."""

    @abstractmethod
    def connect(self) -> None:
        """Open the connection; raises `Fatal` when it can never work, `Transient` when it may later."""

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
    def cancel_all(self) -> int:
        """Cancel every open order of this account; returns how many were asked for."""

    @abstractmethod
    def drain_updates(self) -> list[VenueUpdate]:
        """The updates since the last call, oldest first."""

    @abstractmethod
    def listen(self, hear: Callable[[VenueUpdate], None]) -> None:
        """Have each update told as it comes, from then on, instead of gathering it."""

    @abstractmethod
    def query_positions(self) -> list[VenuePosition]: ...

    @abstractmethod
    def query_account(self) -> VenueAccount: ...

    def query_market_open(self) -> bool | None:
        """What the venue's own clock says of the regular session; None where it has no clock."""
        return None


class IAsyncBrokerage(Venue, ABC):
    """A venue by awaitable calls. Updates arrive on ``_order_event_queue``."""

    _order_event_queue: asyncio.Queue[VenueUpdate]

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
    async def cancel_all_async(self) -> int: ...

    @abstractmethod
    async def query_positions_async(self) -> list[VenuePosition]: ...

    @abstractmethod
    async def query_account_async(self) -> VenueAccount: ...

    async def query_market_open_async(self) -> bool | None:
        return None
