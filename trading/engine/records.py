"""Records: the one stream of facts that a run leaves behind.

The ledger stores them, the browser is shown them as frames and `ledger_hash` digests them, so the three cannot tell
different stories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

import msgspec

from trading.engine.orders import OrderRecord, OrderStatus, Side


class Kind(StrEnum):
    RUN_STATUS = "run.status"
    EQUITY = "equity"
    CASH = "cash"
    RISK_HALTED = "risk.halted"
    RISK_REDUCING = "risk.reducing"
    RISK_RESUMED = "risk.resumed"
    FEED_SILENT = "feed.silent"
    FEED_WARMED = "feed.warmed"
    KILL_ENGAGED = "kill.engaged"
    HALTED = "halted"
    FLATTENING = "flattening"
    ORDER_INTENDED = "order.intended"
    ORDER_DENIED = "order.denied"
    ORDER_SUBMITTED = "order.submitted"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_FILLED = "order.filled"
    ORDER_REJECTED = "order.rejected"
    ORDER_PENDING_CANCEL = "order.pending_cancel"
    ORDER_CANCEL_REFUSED = "order.cancel_refused"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_EXPIRED = "order.expired"
    ORDER_UNKNOWN = "order.unknown"
    ORDER_REPLACED = "order.replaced"
    ORDER_EXTERNAL = "order.external"


#: The state that an order has after a record of this kind. A fill and a refused cancel carry their own.
STATUS_AFTER: Final[dict[str, OrderStatus]] = {
    Kind.ORDER_INTENDED: OrderStatus.INTENDED,
    Kind.ORDER_DENIED: OrderStatus.DENIED,
    Kind.ORDER_SUBMITTED: OrderStatus.SUBMITTED,
    Kind.ORDER_ACCEPTED: OrderStatus.ACCEPTED,
    Kind.ORDER_REJECTED: OrderStatus.REJECTED,
    Kind.ORDER_PENDING_CANCEL: OrderStatus.PENDING_CANCEL,
    Kind.ORDER_CANCELLED: OrderStatus.CANCELLED,
    Kind.ORDER_EXPIRED: OrderStatus.EXPIRED,
    Kind.ORDER_UNKNOWN: OrderStatus.UNKNOWN,
    Kind.ORDER_REPLACED: OrderStatus.REPLACED,
    Kind.ORDER_EXTERNAL: OrderStatus.ACCEPTED,
}


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution as booked, with what it left behind, so that a projection needs no arithmetic.

    ``qty`` and ``price`` are positive, ``fee`` is what was paid; ``cash`` is the run's cash after the fill;
    ``position_*`` and ``realized_pnl`` describe the symbol's position after it (``realized_pnl`` since the run began,
    fees not included); ``order_*`` describe the order after it.
    """

    execution_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    cash: Decimal
    position_qty: Decimal
    position_cost: Decimal
    position_avg_price: Decimal
    realized_pnl: Decimal
    order_status: OrderStatus
    order_filled_qty: Decimal
    order_avg_price: Decimal


class Record(msgspec.Struct, gc=False):
    """One fact: what happened (`Kind`), at which event time (nanoseconds), to which order, and why.

    ``order`` is shared with the engine and lives on; only what never changes of it (id, symbol, side, quantity, type,
    limits, signal) may be read from a record later. ``data`` holds JSON-ready extras of kinds without an order.
    """

    kind: Kind
    time: int
    order: OrderRecord | None = None
    fill: Fill | None = None
    reason: str = ""
    data: dict[str, Any] | None = None


_PRICES: Final = ("stop_price", "trail_amount", "trail_percent")
#: Facts about how a run was operated, which may differ between two runs over the same bars.
_OPERATIONAL: Final = frozenset(
    {
        Kind.RUN_STATUS,
        Kind.EQUITY,
        Kind.KILL_ENGAGED,
        Kind.HALTED,
        Kind.FLATTENING,
        Kind.RISK_RESUMED,
        Kind.FEED_SILENT,
        Kind.FEED_WARMED,
    }
)


def plain(value: Decimal | None) -> str:
    """A decimal as its shortest plain text: ``100``, ``0.25``, never an exponent; empty for None."""
    if value is None:
        return ""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def ledger_hash(records: Iterable[Record]) -> str:
    """SHA-256 (hex) over event time, kind, symbol, side, qty, price, fee and reason of each trading fact, in order.

    The price is an order's limit or a fill's price. Terms that most orders do not have (stop, trail, expiry, extended
    hours, reduce-only, being linked) follow where an order has them; money without a fill is its symbol, code and
    amount. Ids and wall times are left out, so that the same bars and the same recipe give the same hash in every mode.
    """
    digest = LedgerHash()
    for record in records:
        digest.add(record)
    return digest.hexdigest()


_RARE: Final = attrgetter(*_PRICES, "expires_at", "extended_hours", "reduce_only", "parent_id", "group")
_NONE_OF_THEM: Final = (None, None, None, None, False, False, "", "")


def _special_terms(order: OrderRecord) -> Sequence[str]:
    if _RARE(order) == _NONE_OF_THEM:
        return ()
    terms = [f"{name}={plain(price)}" for name in _PRICES if (price := getattr(order, name)) is not None]
    return terms + [name if value is True else f"{name}={value}" for name, value in _marks(order) if value]


def _marks(order: OrderRecord) -> Iterator[tuple[str, int | bool | None]]:
    yield "expires_at", order.expires_at
    yield "extended_hours", order.extended_hours
    yield "reduce_only", order.reduce_only
    yield "waits", bool(order.parent_id)
    yield "shares", bool(order.group)


class LedgerHash:
    """The running form of `ledger_hash`, for a run whose records are not kept in memory."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, record: Record) -> None:
        if record.kind in _OPERATIONAL:
            return
        order, fill = record.order, record.fill
        what: tuple[str, ...] = ("", "", "", "", "")
        if fill is not None:
            what = (fill.symbol, fill.side, plain(fill.qty), plain(fill.price), plain(fill.fee))
        elif order is not None:
            what = (order.symbol, order.side, plain(order.qty), plain(order.limit_price), "", *_special_terms(order))
        elif record.kind is Kind.CASH and record.data:
            what = (record.data["symbol"], record.data["code"], record.data["amount"], "", "")
        self._digest.update("|".join((str(record.time), record.kind, *what, record.reason, "\n")).encode())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
