"""What a venue has told, read back from the facts that it left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce
from trading.engine.records import Kind
from trading.engine.risk import Denial
from trading.engine.updates import STATE_AFTER, CashUpdate, ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate
from trading.folding.tape import Fact

_KINDS: Final = {
    Kind.ORDER_FILLED: UpdateKind.FILL,
    Kind.ORDER_CANCEL_REFUSED: UpdateKind.CANCEL_REFUSED,
    **{kind: update for update, (_, kind) in STATE_AFTER.items()},
}


def told(fact: Fact) -> VenueUpdate | None:
    """The update of which the fact came; None for one that no venue tells."""
    named, payload = fact.payload.get("order") or {}, fact.payload
    if fact.kind == Kind.CASH:
        data = fact.data
        return CashUpdate(data["code"], Decimal(data["amount"]), payload["time"], data["symbol"], fact.reason)
    if fact.kind == Kind.ORDER_EXTERNAL:
        name, venue_id = named["client_order_id"], named.get("venue_order_id")
        return ExternalOrder(name, payload["time"], _terms(named), venue_id, fact.reason)
    kind = _KINDS.get(Kind(fact.kind))
    if kind is None:
        return None
    fill = payload.get("fill") or {}
    return OrderUpdate(
        kind,
        named["id"],
        payload["time"],
        named.get("venue_order_id"),
        fill.get("execution_id", ""),
        *(Decimal(fill.get(name, 0)) for name in ("qty", "price", "fee")),
        reason=fact.reason,
    )


def _terms(named: dict[str, Any]) -> OrderRequest:
    prices = ("limit_price", "stop_price", "trail_amount", "trail_percent")
    return OrderRequest(
        symbol=named["symbol"],
        side=Side(named["side"]),
        qty=Decimal(named["qty"]),
        type=OrderType(named["type"]),
        time_in_force=TimeInForce(named["time_in_force"]),
        expires_at=named.get("expires_at"),
        extended_hours=named.get("extended_hours", False),
        reduce_only=named.get("reduce_only", False),
        **{name: Decimal(named[name]) for name in prices if named.get(name) is not None},
    )


def denial(fact: Fact) -> Denial:
    """What the order gate has said of an order that it withheld."""
    data = fact.data
    figure, limit = (None if data.get(name) is None else Decimal(data[name]) for name in ("figure", "limit"))
    code = str(data["code"])
    return Denial(code=code, message=fact.reason.removeprefix(f"{code}: "), figure=figure, limit=limit)
