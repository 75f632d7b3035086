"""Records as the ledger keeps them: payloads, their canonical JSON, and the hash chain over them. No I/O.

A payload is self-standing JSON: decimals as plain text, times as integer nanoseconds, the whole order where it first
appears and its id from then on. `OrderBook` turns payloads back into records.
"""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.records import STATUS_AFTER, Fill, Kind, Record, plain

Payload = dict[str, Any]

NO_HASH: Final = bytes(32)
#: The kinds with which an order may enter the ledger; they carry its terms.
INTRODUCES: Final = frozenset({Kind.ORDER_INTENDED, Kind.ORDER_DENIED, Kind.ORDER_EXTERNAL})

_BEFORE_THE_VENUE_SPOKE: Final = frozenset({Kind.ORDER_INTENDED, Kind.ORDER_DENIED, Kind.ORDER_SUBMITTED})
#: Terms that most orders do not have, by the names that the ledger gives them; written only where they are set.
_PRICES: Final = ("stop_price", "trail_amount", "trail_percent")
_MARKS: Final = {
    "expires_at": "expires_at",
    "extended_hours": "extended_hours",
    "reduce_only": "reduce_only",
    "parent_id": "parent_id",
    "group_id": "group",
    "replaces": "replaces",
    "external": "external",
    "sizing": "sizing",
}
_FILL_FIGURES: Final = (
    "qty",
    "price",
    "fee",
    "cash",
    "position_qty",
    "position_cost",
    "position_avg_price",
    "realized_pnl",
    "order_filled_qty",
    "order_avg_price",
)


class Event(msgspec.Struct, frozen=True):
    """A record ready to be chained: ``time`` in nanoseconds, ``text`` the canonical JSON of ``payload``."""

    kind: str
    time: int
    payload: Payload
    text: bytes


def encode(record: Record) -> Event:
    """The event of a record, taken now: what the engine changes later does not change it.

    Raises `InvalidValue` for a figure that is not finite.
    """
    payload = payload_of(record)
    text = canonical(payload)
    if b"\\u0000" in text:
        payload = _without_nul(payload)
        text = canonical(payload)
    return Event(record.kind.value, record.time, payload, text)


def payload_of(record: Record) -> Payload:
    payload: Payload = {"time": record.time}
    if record.order is not None:
        payload["order"] = _order(record.order, record.kind)
    if record.fill is not None:
        payload["fill"] = _fill(record.fill)
    if record.reason:
        payload["reason"] = record.reason
    if record.data:
        payload["data"] = jsonable(record.data)
    return payload


def _order(order: OrderRecord, kind: Kind) -> Payload:
    named = {"id": order.id} if kind not in INTRODUCES else _terms(order)
    if order.venue_order_id is not None and kind not in _BEFORE_THE_VENUE_SPOKE:
        named["venue_order_id"] = order.venue_order_id
    return named


def _terms(order: OrderRecord) -> Payload:
    terms: Payload = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "qty": figure(order.qty),
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "limit_price": None if order.limit_price is None else figure(order.limit_price),
        "created_at": order.created_at,
        "signal": order.signal,
        "collateral": figure(order.collateral),
    }
    for name in _PRICES:
        price = getattr(order, name)
        if price is not None:
            terms[name] = figure(price)
    for name, attribute in _MARKS.items():
        mark = getattr(order, attribute)
        if mark:
            terms[name] = mark
    return terms


def _fill(fill: Fill) -> Payload:
    payload: Payload = {name: figure(getattr(fill, name)) for name in _FILL_FIGURES}
    payload["execution_id"] = fill.execution_id
    payload["symbol"] = fill.symbol
    payload["side"] = fill.side.value
    payload["order_status"] = fill.order_status.value
    return payload


def figure(value: Decimal) -> str:
    """A finite decimal as plain text; raises `InvalidValue` for NaN and infinities."""
    text = plain(value)
    if not text[-1].isdigit():
        raise InvalidValue(f"the ledger takes finite figures, not {text}")
    return text


def jsonable(value: Any) -> Any:
    """``value`` as it will read back from the database: decimals as text; a float as the number that it is written as,
    or None where JSON has no such number."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return figure(value)
    if isinstance(value, dict):
        return {str(name): jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise InvalidValue(f"the ledger cannot keep a {type(value).__name__}: {value!r}")


def number(text: str) -> int | Decimal:
    """The one form of a JSON number with this text, so that 1e3, 1000.0 and 1000 have the same canonical JSON."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else value.normalize()


def _without_nul(value: Any) -> Any:
    """PostgreSQL's text holds every character but NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value


_encoder: Final = msgspec.json.Encoder(order="sorted", decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=number)
_float_decoder: Final = msgspec.json.Decoder()


def canonical(payload: Payload) -> bytes:
    """JSON with sorted keys, no blanks and numbers in one form: the same bytes before and after the database."""
    return _encoder.encode(payload)


def decode(text: str | bytes) -> Payload:
    """A stored payload, such that `canonical` gives back the bytes that were hashed."""
    payload: Payload = _decoder.decode(text)
    return payload


def chain(previous: bytes, run_id: UUID, seq: int, kind: str, time: int, recorded_at: int, text: bytes) -> bytes:
    """The 32 bytes that bind an event to all before it.

    ``time`` is in nanoseconds, ``recorded_at`` in microseconds since the epoch, ``text`` the canonical payload.
    """
    fields = b"%b|%d|%b|%d|%d|" % (run_id.bytes, seq, kind.encode(), time, recorded_at)
    return hashlib.sha256(previous + fields + text).digest()


class OrderBook:
    """Reads a run's events back into records, in order. ``orders`` are its orders as the last event left them."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderRecord] = {}

    def read(self, kind: str, text: str | bytes) -> Record:
        """The record of the next event; raises KeyError for an order that no event has introduced."""
        payload = _float_decoder.decode(text)
        named, filled, reason = payload.get("order"), payload.get("fill"), payload.get("reason", "")
        order = None if named is None else self._order(named)
        fill = None if filled is None else _read_fill(filled)
        record = Record(Kind(kind), payload["time"], order, fill, reason, payload.get("data"))
        if order is not None:
            _bring_up_to_date(order, record, named.get("venue_order_id"))
        return record

    def _order(self, named: Payload) -> OrderRecord:
        if "client_order_id" not in named or named["id"] in self.orders:
            return self.orders[named["id"]]
        limit = named["limit_price"]
        order_prices = {name: Decimal(named[name]) for name in _PRICES if name in named}
        order_marks = {attribute: named[name] for name, attribute in _MARKS.items() if name in named}
        order = self.orders[named["id"]] = OrderRecord(
            id=named["id"],
            client_order_id=named["client_order_id"],
            symbol=named["symbol"],
            side=Side(named["side"]),
            qty=Decimal(named["qty"]),
            type=OrderType(named["type"]),
            time_in_force=TimeInForce(named["time_in_force"]),
            limit_price=None if limit is None else Decimal(limit),
            created_at=named["created_at"],
            signal=named["signal"],
            collateral=Decimal(named["collateral"]),
            **order_prices,
            **order_marks,
        )
        return order


def _read_fill(payload: Payload) -> Fill:
    figures = {name: Decimal(payload[name]) for name in _FILL_FIGURES}
    return Fill(
        execution_id=payload["execution_id"],
        symbol=payload["symbol"],
        side=Side(payload["side"]),
        order_status=OrderStatus(payload["order_status"]),
        **figures,
    )


def _bring_up_to_date(order: OrderRecord, record: Record, venue_order_id: str | None) -> None:
    if record.fill is not None:
        order.status = record.fill.order_status
        order.filled_qty = record.fill.order_filled_qty
        order.avg_fill_price = record.fill.order_avg_price
    elif record.kind == Kind.ORDER_CANCEL_REFUSED and record.data:
        order.status = OrderStatus(record.data["status"])
    else:
        order.status = STATUS_AFTER[record.kind]
    if record.reason and record.fill is None:
        order.reason = record.reason
    if venue_order_id is not None:
        order.venue_order_id = venue_order_id
