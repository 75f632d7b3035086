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


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"


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

    ``qty`` is in units, always positive; ``limit_price`` in the quote currency per unit, for limit orders alone;
    ``reason`` is the strategy's own word for why, kept with the order.
    """

    symbol: str
    side: Side
    qty: Decimal
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    reason: str = ""


class OrderRecord(msgspec.Struct, kw_only=True, gc=False):
    """One order of a run with all that is known of it now. Only the engine changes it.

    ``signal`` is ``buy``, ``sell`` or, when the order closes the position, ``flat``; ``collateral`` is the notional of
    the part that opened new exposure when the order was made; ``created_at`` is in nanoseconds; ``before_cancel`` is
    where a refused cancel leads back to.
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
    collateral: Decimal = Decimal(0)
    status: OrderStatus = OrderStatus.INITIALIZED
    before_cancel: OrderStatus = OrderStatus.INITIALIZED
    filled_qty: Decimal = Decimal(0)
    avg_fill_price: Decimal | None = None
    venue_order_id: str | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

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
