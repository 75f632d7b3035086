"""Alpaca's JSON: from its bodies to terms, from the book to its rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.venues.book import ZERO, Book, Event, Order, Refused, Terms


def order_row(order: Order, book: Book, nested: bool = True) -> dict[str, Any]:
    terms = order.terms
    legs = [order_row(book.orders[leg], book, nested=False) for leg in order.legs] if nested else []
    return {
        "id": order.id,
        "client_order_id": terms.client_order_id,
        "created_at": moment(order.created_at),
        "updated_at": moment(order.updated_at),
        "submitted_at": moment(order.created_at),
        "filled_at": moment(order.updated_at) if order.status == "filled" else None,
        "expired_at": moment(order.updated_at) if order.status == "expired" else None,
        "canceled_at": moment(order.updated_at) if order.status == "canceled" else None,
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(terms.symbol),
        "symbol": terms.symbol,
        "asset_class": "crypto" if "/" in terms.symbol else "us_equity",
        "qty": text_of(terms.qty),
        "filled_qty": text_of(order.filled),
        "filled_avg_price": _optional(order.average),
        "order_class": terms.order_class,
        "order_type": terms.type,
        "type": terms.type,
        "side": terms.side,
        "time_in_force": terms.time_in_force,
        "limit_price": _optional(terms.limit_price),
        "stop_price": _optional(terms.stop_price),
        "trail_price": _optional(terms.trail_price),
        "trail_percent": _optional(terms.trail_percent),
        "status": order.status,
        "extended_hours": terms.extended_hours,
        "legs": legs or None,
    }


def activity_row(event: Event) -> dict[str, Any]:
    """A fill as an account activity."""
    order = event.order
    return {
        "activity_type": "FILL",
        "id": f"{event.time:%Y%m%d%H%M%S%f}::{event.execution_id}",
        "cum_qty": text_of(order.filled),
        "leaves_qty": text_of(order.remaining),
        "order_id": order.id,
        "price": text_of(event.price),
        "qty": text_of(event.qty),
        "side": order.terms.side,
        "symbol": order.terms.symbol,
        "transaction_time": moment(event.time),
        "type": event.kind,
    }


def position_row(symbol: str, book: Book) -> dict[str, Any]:
    qty, cost = book.positions[symbol], book.costs[symbol]
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "avg_entry_price": text_of(cost / qty),
        "qty": text_of(qty),
        "side": "long" if qty > 0 else "short",
        "cost_basis": text_of(cost),
        "market_value": text_of(qty * book.last.get(symbol, ZERO)),
    }


def terms_of(body: dict[str, Any]) -> Terms:
    return Terms(
        symbol=body["symbol"],
        side=body["side"],
        qty=figure(body.get("qty"), "qty"),
        type=body["type"],
        time_in_force=body["time_in_force"],
        client_order_id=body.get("client_order_id", ""),
        limit_price=_price(body.get("limit_price"), "limit_price"),
        stop_price=_price(body.get("stop_price"), "stop_price"),
        trail_price=_price(body.get("trail_price"), "trail_price"),
        trail_percent=None if body.get("trail_percent") is None else figure(body["trail_percent"], "trail_percent"),
        extended_hours=bool(body.get("extended_hours")),
        order_class=body.get("order_class", "simple"),
    )


def exits_of(body: dict[str, Any], entry_terms: Terms, entry: bool = True) -> tuple[Terms, ...]:
    """The legs of a bracket or OTO order, or the two orders of an OCO one, whose own side is that of an exit. They stay
    for as long as the entry would."""
    opposite = "sell" if entry_terms.side == "buy" else "buy"
    side = opposite if entry else entry_terms.side
    exits, tif = [], entry_terms.time_in_force
    profit, loss = body.get("take_profit"), body.get("stop_loss")
    if profit is not None:
        limit = _price(profit["limit_price"], "take_profit.limit_price")
        client_id = "" if entry else entry_terms.client_order_id
        exits.append(Terms(entry_terms.symbol, side, entry_terms.qty, "limit", tif, client_id, limit_price=limit))
    if loss is not None:
        stop, limit = _price(loss["stop_price"], "stop_loss.stop_price"), _price(loss.get("limit_price"), "stop_loss")
        kind = "stop" if limit is None else "stop_limit"
        exits.append(Terms(entry_terms.symbol, side, entry_terms.qty, kind, tif, "", limit, stop))
    wanted = {"simple": 0, "bracket": 2, "oco": 2, "oto": 1}[entry_terms.order_class]
    if len(exits) != wanted:
        raise Refused("bad_price", f"{entry_terms.order_class} orders need {wanted} of take_profit and stop_loss")
    for one in exits:
        one.order_class = entry_terms.order_class
    return tuple(exits)


def figure(value: Any, name: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise Refused("bad_quantity", f"invalid {name}: {value}") from None


def _price(value: Any, name: str) -> Decimal | None:
    if value is None:
        return None
    price = figure(value, name)
    step = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price <= 0 or price % step:
        raise Refused("bad_price", f"invalid {name} {price}: sub-penny increment below the minimum")
    return price


def text_of(value: Decimal) -> str:
    return format(value.normalize(), "f") if value else "0"


def moment(at: datetime) -> str:
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def asset_id(symbol: str) -> str:
    return f"00000000-0000-4000-8000-{symbol.encode().hex()[:12]:0>12}"


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else text_of(value)
