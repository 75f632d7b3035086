"""Tradier's words for orders, positions and balances. Pure.

No rows are the text ``"null"``, one row is a bare object, more are a list. Figures are JSON numbers and are read by the
text that they would be written as.

Orders that depend on each other are one order there, with legs, and one tag: those of its legs in their order, joined
by two dashes, so that each leg is known again by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from brokers.base import VenueAccount, VenueClock, VenuePosition
from brokers.reading import figure, moment, unit_value
from brokers.sightings import VenueOrder
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import Rejected
from trading.engine.instruments import AssetClass, instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.symbols import Symbol
from trading.engine.updates import UpdateKind

_TYPES: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
_KINDS: Final = {word: kind for kind, word in _TYPES.items()}
_DURATIONS: Final = {TimeInForce.DAY: "day", TimeInForce.GTC: "gtc"}
_TIMES: Final = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTC,
    "pre": TimeInForce.DAY,
    "post": TimeInForce.DAY,
}
_SIDES: Final = {
    "buy": Side.BUY,
    "buy_to_cover": Side.BUY,
    "buy_to_open": Side.BUY,
    "buy_to_close": Side.BUY,
    "sell": Side.SELL,
    "sell_short": Side.SELL,
    "sell_to_open": Side.SELL,
    "sell_to_close": Side.SELL,
}
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
_LINKED: Final = ("oto", "oco", "otoco")
_POWERS: Final = ("stock_buying_power", "cash_available")


def payload(order: OrderRecord) -> dict[str, Any]:
    """The form that places an order; raises `Rejected` naming what Tradier has not."""
    kind, duration = _TYPES.get(order.type), _DURATIONS.get(order.time_in_force)
    if kind is None:
        raise Rejected(f"tradier has no {order.type} orders; it takes {', '.join(_KINDS)}")
    if duration is None or order.extended_hours:
        wanted = "extended hours" if order.extended_hours else f"time in force {order.time_in_force}"
        raise Rejected(f"tradier takes no {wanted} here; it takes day and gtc")
    instrument = instrument_of(order.symbol)
    if instrument.asset is AssetClass.CRYPTO:
        raise Rejected(f"tradier trades stocks and options, not {order.symbol}")
    if order.qty != order.qty.to_integral_value():
        raise Rejected(f"tradier trades whole units, not {order.qty:f}")
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
    return form | _prices(order)


def _prices(order: OrderRecord) -> dict[str, str]:
    prices = {"price": order.limit_price, "stop": order.stop_price}
    return {name: format(price, "f") for name, price in prices.items() if price is not None}


def _side(order: OrderRecord, option: bool) -> str:
    """Tradier wants to know whether an order opens or closes; one that ties up nothing closes."""
    closes = order.reduce_only or not order.collateral
    if option:
        return f"{order.side.value}_to_{'close' if closes else 'open'}"
    if order.side is Side.BUY:
        return "buy_to_cover" if closes else "buy"
    return "sell" if closes else "sell_short"


def linked_payload(order: OrderRecord, linked: Sequence[OrderRecord]) -> dict[str, Any]:
    """The form that places an order with those that depend on it; raises `Rejected` naming what Tradier has not."""
    orders = (order, *linked)
    forms = [payload(one) for one in orders]
    waits = [one.parent_id == order.id for one in linked]
    if len({(one.symbol, one.qty) for one in orders}) > 1:
        raise Rejected("tradier links orders of one symbol and quantity alone")
    if len(linked) > 2 or not (all(waits) or (not any(waits) and len(linked) == 1)):
        raise Rejected("tradier links an order with one or two that wait for it, or two alternatives, and no others")
    kind = ("oto" if len(linked) == 1 else "otoco") if waits[0] else "oco"
    first = orders if kind == "oco" else orders[:1]
    if any(one.type is OrderType.MARKET for one in first):
        raise Rejected(
            f"tradier takes no market order in the first place of linked orders; send a limit order ({kind})"
        )
    alternatives = forms if kind == "oco" else forms[1:]
    if len(alternatives) == 2 and alternatives[0]["type"] == alternatives[1]["type"]:
        raise Rejected(f"tradier takes two alternatives of different types alone, not two {alternatives[0]['type']}s")
    if len(alternatives) == 2 and alternatives[0]["duration"] != alternatives[1]["duration"]:
        raise Rejected("tradier takes alternatives of the same time in force alone")
    found = {"class": kind, "tag": "--".join(form["tag"] for form in forms)}
    if kind == "oco":
        found["duration"] = forms[0]["duration"]
    left_out = ("class", "tag", "duration") if kind == "oco" else ("class", "tag")
    return found | {
        f"{name}[{at}]": value for at, form in enumerate(forms) for name, value in form.items() if name not in left_out
    }


def replace_payload(order: OrderRecord, by: OrderRecord) -> dict[str, Any]:
    """The form that gives an order other terms; raises `Rejected` naming what Tradier does not change."""
    if not order.remaining_qty <= by.qty <= order.qty:
        raise Rejected("tradier changes no order's quantity; cancel it and send another")
    form = payload(by)
    return {name: form[name] for name in ("type", "duration", "price", "stop") if name in form}


def order_of(row: dict[str, Any]) -> VenueOrder:
    """One order; raises KeyError, TypeError or ValueError for what cannot be read.

    A status that nobody knows is shown as unknown, a type and a duration as the nearest one, all with Tradier's word as
    the reason. What decides about what is held must be readable.
    """
    known: dict[str, Mapping[str, Any]] = {"status": _STATES, "type": _KINDS, "duration": _TIMES}
    strange = [f"{name} {row[name]!r}" for name, words in known.items() if row[name] not in words]
    reasons = [f"tradier says {', '.join(strange)}"] if strange else []
    if row.get("reason_description"):
        reasons.append(str(row["reason_description"]))
    filled = row["exec_quantity"] if "exec_quantity" in row else row["executed_quantity"]
    return VenueOrder(
        client_order_id=str(row.get("tag") or ""),
        venue_order_id=_id(row),
        state=_STATES.get(row["status"], UpdateKind.UNKNOWN),
        terms=_terms(row),
        time=moment(row.get("transaction_date") or row["create_date"]),
        filled_qty=figure(filled),
        avg_price=figure(row.get("avg_fill_price") or 0),
        reason="; ".join(reasons),
    )


def _id(row: dict[str, Any]) -> str:
    if isinstance(row["id"], bool) or not str(row["id"]).isdigit():
        raise ValueError(f"{row['id']!r} is no order id")
    return str(row["id"])


def _terms(row: dict[str, Any]) -> OrderRequest:
    kind = _KINDS.get(row["type"], OrderType.MARKET)
    return OrderRequest(
        symbol=row.get("option_symbol") or row["symbol"],
        side=_SIDES[row["side"]],
        qty=figure(row["quantity"]),
        type=kind,
        time_in_force=_TIMES.get(row["duration"], TimeInForce.DAY),
        limit_price=figure(row["price"]) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        stop_price=figure(row["stop_price"]) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
        extended_hours=row["duration"] in ("pre", "post"),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no symbol")
    return value


def rows_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The orders of a list, with the legs of one that has any in its place."""
    return [row for order in some(body, "orders", "order") for row in _legs(order)]


def _legs(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "leg" not in row:
        yield row
        return
    legs = sorted(_some_of(row["leg"]), key=_id)
    tags = str(row.get("tag") or "").split("--") if row.get("class") in _LINKED else []
    for at, leg in enumerate(legs):
        reason = leg.get("reason_description") or row.get("reason_description")
        yield {**leg, "tag": tags[at] if len(tags) == len(legs) else "", "reason_description": reason}


def some(body: dict[str, Any], plural: str, singular: str) -> list[dict[str, Any]]:
    """The rows of a body, however many there are."""
    held = body[plural]
    return [] if held in ("null", None) else _some_of(held[singular])


def _some_of(rows: Any) -> list[dict[str, Any]]:
    return rows if isinstance(rows, list) else [rows]


def position_of(row: dict[str, Any]) -> VenuePosition:
    qty = figure(row["quantity"])
    return VenuePosition(_text(row["symbol"]), qty, unit_value(row.get("cost_basis"), qty))


def account_of(balances: dict[str, Any]) -> VenueAccount:
    """The balances; buying power lies below the account's type."""
    kind = _text(balances["account_type"])
    below = balances[kind]
    return VenueAccount(
        _text(balances["account_number"]),
        cash=figure(balances["total_cash"]),
        equity=figure(balances["total_equity"]),
        buying_power=figure(below[_POWERS[0] if _POWERS[0] in below else _POWERS[1]]),
        entitlements={"type": kind},
    )


def clock_of(row: dict[str, Any]) -> VenueClock:
    return VenueClock(int(row["timestamp"]) * NANOS_PER_SECOND, _text(row["state"]) == "open")
