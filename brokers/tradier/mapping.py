"""Tradier's words for orders, positions and balances. Pure.

No rows are the text ``"null"``, one row is a bare object, more are a list. Figures are JSON numbers and are read by the
text that they would be written as.
"""

from __future__ import annotations

from typing import Any, Final

from brokers.base import VenueAccount, VenuePosition
from brokers.enduring import VenueClock
from brokers.reading import figure, moment
from brokers.sightings import VenueOrder
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import Rejected
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.symbols import Symbol
from trading.engine.updates import UpdateKind

_TYPES: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
_DURATIONS: Final = {TimeInForce.DAY: "day", TimeInForce.GTC: "gtc"}
_STATES: Final = {
    "open": UpdateKind.ACCEPTED,
    "partially_filled": UpdateKind.ACCEPTED,
    "held": UpdateKind.ACCEPTED,
    "accepted_for_bidding": UpdateKind.ACCEPTED,
    "calculated": UpdateKind.ACCEPTED,
    "filled": None,
    "pending": None,
    "submitted": None,
    "pending_cancel": None,
    "canceled": UpdateKind.CANCELLED,
    "expired": UpdateKind.EXPIRED,
    "rejected": UpdateKind.REJECTED,
    "error": UpdateKind.REJECTED,
}


def payload(order: OrderRecord) -> dict[str, Any]:
    """The form that places an order; raises `Rejected` naming what Tradier has not."""
    kind, duration = _TYPES.get(order.type), _DURATIONS.get(order.time_in_force)
    if kind is None:
        raise Rejected(f"tradier has no {order.type} orders; it takes {', '.join(_TYPES.values())}")
    if duration is None or order.extended_hours:
        wanted = "extended hours" if order.extended_hours else f"time in force {order.time_in_force}"
        raise Rejected(f"tradier takes no {wanted} here; it takes day and gtc")
    instrument = instrument_of(order.symbol)
    form: dict[str, Any] = {
        "class": "equity" if instrument.option is None else "option",
        "symbol": Symbol.parse(order.symbol).ticker,
        "side": _side(order, instrument.option is not None),
        "quantity": format(order.qty, "f"),
        "type": kind,
        "duration": duration,
        "tag": order.client_order_id,
    }
    if instrument.option is not None:
        form |= {"symbol": instrument.option.underlying, "option_symbol": form["symbol"]}
    if order.limit_price is not None:
        form["price"] = format(order.limit_price, "f")
    if order.stop_price is not None:
        form["stop"] = format(order.stop_price, "f")
    return form


def _side(order: OrderRecord, option: bool) -> str:
    """Tradier wants to know whether an order opens or closes; one that ties up nothing closes."""
    closes = not order.collateral
    if option:
        return f"{order.side.value}_to_{'close' if closes else 'open'}"
    if order.side is Side.BUY:
        return "buy_to_cover" if closes else "buy"
    return "sell" if closes else "sell_short"


def order_of(row: dict[str, Any]) -> VenueOrder:
    """One row of the orders; raises KeyError, TypeError or ValueError for what cannot be read."""
    status = str(row["status"])
    if status not in _STATES:
        raise ValueError(f"unknown order status {status!r}")
    filled = figure(row.get("exec_quantity", row.get("executed_quantity", 0)))
    return VenueOrder(
        client_order_id=str(row.get("tag", "")),
        venue_order_id=str(row["id"]),
        state=_STATES[status],
        terms=_terms(row),
        time=moment(row.get("transaction_date") or row["create_date"]),
        filled_qty=filled,
        avg_price=figure(row.get("avg_fill_price", 0)),
        reason=str(row.get("reason_description", "")),
    )


def _terms(row: dict[str, Any]) -> OrderRequest:
    """What it was asked for; a type or duration that we have no word for shows as the nearest one."""
    kinds = {word: kind for kind, word in _TYPES.items()}
    kind = kinds.get(str(row["type"]), OrderType.MARKET)
    return OrderRequest(
        symbol=str(row.get("option_symbol") or row["symbol"]),
        side=Side.BUY if str(row["side"]).startswith("buy") else Side.SELL,
        qty=figure(row["quantity"]),
        type=kind,
        time_in_force=TimeInForce.GTC if row.get("duration") == "gtc" else TimeInForce.DAY,
        limit_price=figure(row["price"]) if "price" in row else None,
        stop_price=figure(row["stop_price"]) if "stop_price" in row else None,
    )


def some(body: dict[str, Any], plural: str, singular: str) -> list[dict[str, Any]]:
    """The rows of a body, however many there are."""
    held = body[plural]
    if held in ("null", None):
        return []
    rows = held[singular]
    return rows if isinstance(rows, list) else [rows]


def position_of(row: dict[str, Any]) -> VenuePosition:
    return VenuePosition(str(row["symbol"]), figure(row["quantity"]))


def account_of(balances: dict[str, Any]) -> VenueAccount:
    """The balances; buying power lies below the account's type."""
    below = balances.get(str(balances["account_type"]), {})
    power = next((below[name] for name in ("stock_buying_power", "cash_available") if name in below), 0)
    return VenueAccount(
        str(balances["account_number"]),
        cash=figure(balances["total_cash"]),
        equity=figure(balances["total_equity"]),
        buying_power=figure(power),
        entitlements={"type": str(balances["account_type"])},
    )


def clock_of(row: dict[str, Any]) -> VenueClock:
    return VenueClock(int(row["timestamp"]) * NANOS_PER_SECOND, row["state"] == "open")
