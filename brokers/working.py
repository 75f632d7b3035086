"""An order as it works at the simulated venue, and the quantity that linked orders share."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading.engine.instruments import Instrument
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce

ZERO: Final = Decimal(0)
#: Later than any bar.
NEVER: Final = 2**63 - 1

_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})


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


class WorkingOrder:
    """One order in the book. The order's record belongs to the engine and is only read for its terms.

    ``left`` is what is still to be filled, in units. ``stop`` is the price that triggers it (quote currency per unit),
    moving for a trailing stop with ``mark``, the best price since it became active; ``triggered`` once it was reached.
    The order sees bars that start at or after ``live_from`` and trades in none that starts at or after ``expires``;
    ``auction`` is the open or close that it is for, 0 for none (all ns). ``shares`` is the pool that it draws from,
    ``feeds`` the one that its fills fill.
    """

    __slots__ = (
        "auction",
        "buy",
        "done",
        "executions",
        "expires",
        "feeds",
        "immediate",
        "instrument",
        "is_stop",
        "key",
        "left",
        "limit",
        "live_from",
        "mark",
        "order",
        "reduce_only",
        "shares",
        "stop",
        "triggered",
        "type",
    )

    def __init__(self, order: OrderRecord, instrument: Instrument, live_from: int = 0) -> None:
        self.order = order
        self.key = order.client_order_id
        self.instrument = instrument
        self.type = order.type
        self.buy = order.side is Side.BUY
        self.left = order.qty
        self.limit = order.limit_price
        self.stop = order.stop_price
        self.mark: Decimal | None = None
        self.triggered = False
        self.is_stop = order.type in _STOPS
        self.immediate = order.time_in_force in _IMMEDIATE
        self.reduce_only = order.reduce_only
        self.live_from = live_from
        self.expires = NEVER
        self.auction = 0
        self.done = False
        self.executions = 0
        self.shares: Pool | None = None
        self.feeds: Pool | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing that it may trade for now, because it waits for another order's fills."""
        return self.shares is not None and self.shares.used >= self.shares.given

    @property
    def in_reach(self) -> Decimal:
        """Units that it may trade now, its pool considered."""
        return self.left if self.shares is None else min(self.left, self.shares.left)

    def follow(self, old: WorkingOrder) -> None:
        """Take the place of ``old``: its pools, and what its stop has seen where that stays the same."""
        self.shares, self.feeds = old.shares, old.feeds
        if self.shares is not None:
            self.shares.members[self.shares.members.index(old)] = self
        if old.type is self.type and old.order.stop_price == self.order.stop_price:
            self.mark, self.triggered = old.mark, old.triggered


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
