"""What a venue tells about an order, in one shape for all venues."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from trading.engine.orders import OrderRequest, OrderStatus
from trading.engine.records import Kind


class UpdateKind(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FILL = "fill"
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    REPLACED = "replaced"


#: The state of an order after an update, and the kind of record that tells it.
STATE_AFTER: Final = {
    UpdateKind.ACCEPTED: (OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED),
    UpdateKind.REJECTED: (OrderStatus.REJECTED, Kind.ORDER_REJECTED),
    UpdateKind.CANCELLED: (OrderStatus.CANCELLED, Kind.ORDER_CANCELLED),
    UpdateKind.EXPIRED: (OrderStatus.EXPIRED, Kind.ORDER_EXPIRED),
    UpdateKind.REPLACED: (OrderStatus.REPLACED, Kind.ORDER_REPLACED),
    UpdateKind.UNKNOWN: (OrderStatus.UNKNOWN, Kind.ORDER_UNKNOWN),
}
#: To an order in another state these are old news: whatever the venue has said since counts for more.
NEWS_TO: Final = {
    UpdateKind.ACCEPTED: frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN}),
    UpdateKind.UNKNOWN: frozenset({OrderStatus.SUBMITTED}),
}


class OrderUpdate(msgspec.Struct, frozen=True, gc=False):
    """One report about the order with this client order id.

    ``time`` is the venue's, in nanoseconds since the epoch. For a fill, ``qty`` and ``price`` are those of this one
    execution, ``execution_id`` is the venue's name for it (a second report of the same id is ignored) and ``fee`` is
    what it cost.
    """

    kind: UpdateKind
    client_order_id: str
    time: int
    venue_order_id: str | None = None
    execution_id: str = ""
    qty: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    reason: str = ""


class ExternalOrder(msgspec.Struct, frozen=True, gc=False):
    """An order that the venue has and the run did not send: a manual one, an exercise, a margin call.

    ``terms`` are its terms, ``client_order_id`` its name from here on; what becomes of it follows as `OrderUpdate`.
    """

    client_order_id: str
    time: int
    terms: OrderRequest
    venue_order_id: str | None = None
    reason: str = ""


class CashUpdate(msgspec.Struct, frozen=True, gc=False):
    """Money that came (positive) or went (negative) other than by a fill, in the account's currency.

    ``code`` says what for: ``interest``, ``borrow``, ``dividend``, ``fee``, ``correction`` (of a fill's price).
    """

    code: str
    amount: Decimal
    time: int
    symbol: str = ""
    reason: str = ""


#: All that a venue may tell.
VenueUpdate = OrderUpdate | ExternalOrder | CashUpdate
