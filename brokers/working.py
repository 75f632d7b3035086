"""An order as it works at the simulated venue, and the quantity that linked orders share."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from brokers.sightings import VenueOrder
from trading.engine.bars import Bar
from trading.engine.instruments import Instrument
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.updates import UpdateKind

ZERO: Final = Decimal(0)
#: Later than any bar.
NEVER: Final = 2**63 - 1

_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_IOC: Final = TimeInForce.IOC
_FOK: Final = TimeInForce.FOK
_MARKET: Final = OrderType.MARKET
_BUY: Final = Side.BUY


class Pool:
    """A quantity that several orders share: what one of them fills the others lose.

    ``given`` is what may be traded so far: for one-cancels-other the quantity of the order, for orders that wait for
    another's fills as much as that one has filled. ``closed`` once nothing more will be given. Nobody is ever resized:
    a member trades what is left, so that sizes are right after any partial fill.
    """

    __slots__ = ("closed", "given", "members", "used")

    def __init__(self, given: Decimal = ZERO, closed: bool = False) -> None:
        self.given = given
        self.used = ZERO
        self.closed = closed
        self.members: list[WorkingOrder] = []

    @property
    def left(self) -> Decimal:
        return self.given - self.used

    @property
    def is_over(self) -> bool:
        return self.closed and self.used >= self.given


class WorkingOrder(msgspec.Struct, eq=False):
    """One order in the book. The order's record belongs to the engine and is only read for its terms.

    ``left`` is what is still to be filled, in units. ``stop`` is the price that triggers it (quote currency per unit),
    moving for a trailing stop with ``mark``, the best price since it became active; ``triggered`` once it was reached.
    The order sees bars that start at or after ``live_from`` and trades in none that starts at or after ``expires``;
    ``auction`` is the open or close that it is for, 0 for none (all ns). ``level`` is the price that a bar must reach
    to concern it, as the float that bars hold, None where any bar may. ``shares`` is the pool that it draws from,
    ``feeds`` the one that its fills fill. ``value`` is that of its fills at their prices.
    """

    order: OrderRecord
    key: str
    type: OrderType
    buy: bool
    left: Decimal
    limit: Decimal | None
    stop: Decimal | None
    instrument: Instrument
    live_from: int
    immediate: bool
    reduce_only: bool
    is_stop: bool
    level: float | None = None
    auction: int = 0
    expires: int = NEVER
    executions: int = 0
    value: Decimal = ZERO
    done: bool = False
    triggered: bool = False
    mark: Decimal | None = None
    shares: Pool | None = None
    feeds: Pool | None = None

    @classmethod
    def of(
        cls, order: OrderRecord, instrument: Instrument, live_from: int = 0, reduce_only: bool = False
    ) -> WorkingOrder:
        """The order as it enters the book."""
        tif = order.time_in_force
        immediate = tif is _IOC or tif is _FOK
        level = None
        if order.type is not _MARKET and not immediate and not reduce_only:
            price = order.limit_price if order.stop_price is None else order.stop_price
            level = None if price is None else float(price)
        return cls(
            order,
            order.client_order_id,
            order.type,
            order.side is _BUY,
            order.qty,
            order.limit_price,
            order.stop_price,
            instrument,
            live_from,
            immediate,
            reduce_only,
            order.type in _STOPS,
            level,
        )

    def is_out_of_reach(self, bar: Bar) -> bool:
        """Whether nothing of this bar can concern the order: a cheap look that is sure where it says so."""
        if self.level is None or self.auction or self.triggered or bar.ask > 0:
            return False
        # A buy limit and a sell stop lie below the market, the others above it.
        return bar.low > self.level if self.buy is not self.is_stop else bar.high < self.level

    def shown(self, now: int) -> VenueOrder:
        """The order as the venue shows it at ``now`` (ns)."""
        order, filled = self.order, self.order.qty - self.left
        return VenueOrder(
            client_order_id=self.key,
            venue_order_id=self.key,
            state=UpdateKind.ACCEPTED,
            terms=OrderRequest(
                symbol=order.symbol,
                side=order.side,
                qty=order.qty,
                type=order.type,
                time_in_force=order.time_in_force,
                limit_price=order.limit_price,
                stop_price=order.stop_price,
                trail_amount=order.trail_amount,
                trail_percent=order.trail_percent,
                extended_hours=order.extended_hours,
            ),
            time=now,
            filled_qty=filled,
            avg_price=self.value / filled if filled else ZERO,
        )

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing that it may trade for now, because it waits for another order's fills."""
        return self.shares is not None and self.shares.used >= self.shares.given

    def follow(self, old: WorkingOrder) -> None:
        """Take the place of ``old``: its pools, and that its stop was reached where that stays the same."""
        self.shares, self.feeds = old.shares, old.feeds
        if self.shares is not None:
            self.shares.members[self.shares.members.index(old)] = self
        if old.type is self.type and _stop_of(old.order) == _stop_of(self.order):
            self.triggered = old.triggered


def _stop_of(order: OrderRecord) -> tuple[Decimal | None, ...]:
    return order.stop_price, order.trail_amount, order.trail_percent


def link(works: list[WorkingOrder]) -> None:
    """Give orders that were sent together the quantities that they share; the first is the one that the others name.

    Orders with the same parent share its fills; the others are alternatives and share the first one's quantity.
    """
    by_key = {work.order.id: work for work in works}
    alternatives = [work for work in works if not work.order.parent_id]
    if len(alternatives) > 1:
        pool = Pool(alternatives[0].left, closed=True)
        for work in alternatives:
            _join(work, pool)
    for work in works:
        parent = by_key.get(work.order.parent_id)
        if parent is not None:
            parent.feeds = parent.feeds or Pool()
            _join(work, parent.feeds)


def _join(work: WorkingOrder, pool: Pool) -> None:
    work.shares = pool
    pool.members.append(work)
