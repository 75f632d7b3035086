"""Orders: what a strategy asks for, what became of it, and the only legal ways from one state to the next."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from trading.engine.errors import InvalidTransition


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order works.

    ``day``: to the close of the session that it is for. ``gtc``: until cancelled. ``gtd``: until ``expires_at``.
    ``ioc``: what can be filled at once, the rest is cancelled. ``fok``: all of it at once, or nothing. ``opg`` and
    ``cls``: in the opening or the closing auction alone, as market or limit orders.
    """

    DAY = "day"
    GTC = "gtc"
    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"


class OrderStatus(StrEnum):
    INITIALIZED = "initialized"
    DENIED = "denied"
    INTENDED = "intended"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    REJECTED = "rejected"
    PENDING_CANCEL = "pending_cancel"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    UNKNOWN = "unknown"


_S = OrderStatus
_ENDS: Final = frozenset({_S.FILLED, _S.REJECTED, _S.CANCELLED, _S.EXPIRED, _S.REPLACED})
_LATE_FILL: Final = frozenset({_S.FILLED})
_AT_VENUE: Final = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL}) | _ENDS

# What a venue reports may skip states (a fill can arrive before its acknowledgement) and may come late (a fill after a
# cancel was booked), so the table is wide where facts come from outside and narrow where the decision is ours. An order
# that has ended stays ended: a late fill of a part of it is booked and leaves its status.
TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    _S.INITIALIZED: frozenset({_S.DENIED, _S.INTENDED}),
    _S.DENIED: frozenset(),
    _S.INTENDED: frozenset({_S.SUBMITTED, _S.DENIED, _S.CANCELLED, _S.UNKNOWN}),
    _S.SUBMITTED: _AT_VENUE | {_S.UNKNOWN},
    _S.ACCEPTED: (_AT_VENUE - {_S.ACCEPTED}) | {_S.UNKNOWN},
    _S.PARTIALLY_FILLED: (_AT_VENUE - {_S.ACCEPTED}) | {_S.UNKNOWN},
    _S.PENDING_CANCEL: (_AT_VENUE - {_S.PENDING_CANCEL}) | {_S.SUBMITTED, _S.UNKNOWN},
    _S.UNKNOWN: _AT_VENUE | {_S.SUBMITTED},
    _S.FILLED: frozenset({_S.FILLED}),
    _S.REJECTED: _LATE_FILL,
    _S.CANCELLED: _LATE_FILL,
    _S.EXPIRED: _LATE_FILL,
    _S.REPLACED: _LATE_FILL,
}

#: States in which an order may still trade, so that it counts towards risk and must be cancelled on a kill.
OPEN_STATUSES: Final = frozenset(
    {_S.INTENDED, _S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.UNKNOWN}
)
FINAL_STATUSES: Final = _ENDS | {_S.DENIED}

if set(TRANSITIONS) != set(OrderStatus) or OPEN_STATUSES & FINAL_STATUSES:
    raise AssertionError("every order status needs its row of transitions, and is either open or final")


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a strategy wants.

    ``qty`` is in units, always positive. ``limit_price`` (limit and stop-limit orders) and ``stop_price`` (stop and
    stop-limit orders) are in the quote currency per unit. A trailing stop has ``trail_amount`` (quote currency per
    unit) or ``trail_percent`` (2 is two percent). ``expires_at`` is in nanoseconds, for ``gtd`` alone.
    ``extended_hours`` lets it trade outside of the regular session; ``reduce_only`` never lets it open or enlarge a
    position. ``reason`` is the strategy's own word for why, kept with the order.

    ``then`` are orders that wait for this one's fills: together they never trade more than it has filled, and what one
    of them fills the others lose (a bracket has two, one-triggers-other has one). ``instead`` are alternatives of the
    same quantity that share it with this order in the same way (one-cancels-other). See `trading.engine.linked`.
    """

    symbol: str
    side: Side
    qty: Decimal
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    expires_at: int | None = None
    extended_hours: bool = False
    reduce_only: bool = False
    reason: str = ""
    then: tuple[OrderRequest, ...] = ()
    instead: tuple[OrderRequest, ...] = ()


class CancelRequest(msgspec.Struct, frozen=True, gc=False):
    """A strategy no longer wants this open order of its own."""

    order_id: str
    reason: str = ""


class ReplaceRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A strategy wants other terms for an open order of its own: a new order takes its place in one step.

    What is None stays as it is; ``qty`` is what is still to be filled, by default the old order's remaining quantity.
    """

    order_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    reason: str = ""


#: All that a strategy may ask for.
Request = OrderRequest | CancelRequest | ReplaceRequest


class OrderRecord(msgspec.Struct, gc=False):
    """One order of a run with all that is known of it now. Only the engine changes it.

    ``signal`` is ``buy``, ``sell`` or, when the order closes the position, ``flat``; ``collateral`` is the equity that
    the part which opened new exposure tied up when the order was made, zero where it only reduces; ``created_at`` is in
    nanoseconds; ``before_cancel`` is where a refused cancel leads back to. ``parent_id`` names the order whose fills
    this one waits for, ``group`` the orders that share one quantity with it, ``replaces`` the order whose place it
    takes; each is empty where there is none. ``external`` marks what did not come from the run's strategy: a manual
    order, an exercise, a margin call.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    created_at: int
    signal: str
    reason: str = ""
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    expires_at: int | None = None
    extended_hours: bool = False
    reduce_only: bool = False
    parent_id: str = ""
    group: str = ""
    replaces: str = ""
    external: bool = False
    collateral: Decimal = Decimal(0)
    status: OrderStatus = OrderStatus.INITIALIZED
    before_cancel: OrderStatus = OrderStatus.INITIALIZED
    filled_qty: Decimal = Decimal(0)
    avg_fill_price: Decimal | None = None
    venue_order_id: str | None = None
    sizing: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def in_doubt(self) -> bool:
        """Whether the venue has not said yet that it has the order, or does not."""
        asked = self.status is OrderStatus.PENDING_CANCEL
        return (self.before_cancel if asked else self.status) is OrderStatus.UNKNOWN

    @property
    def remaining_qty(self) -> Decimal:
        return self.qty - self.filled_qty

    @property
    def signed_remaining(self) -> Decimal:
        """Units that the order would still add to the position: negative for a sell."""
        remaining = self.qty - self.filled_qty
        return remaining if self.side is Side.BUY else -remaining

    def move_to(self, status: OrderStatus) -> None:
        """Enter ``status``; raises `InvalidTransition` where the table has no such step."""
        if status not in TRANSITIONS[self.status]:
            raise InvalidTransition(f"order {self.id} cannot go from {self.status} to {status}")
        self.status = status
