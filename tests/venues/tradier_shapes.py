"""How Tradier's forms and rows look; used by its stub."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from tests.venues.book import Order, Refused, Terms

SIDES = {"buy": "buy", "buy_to_cover": "buy", "sell": "sell", "sell_short": "sell"}
SIDES |= {"buy_to_open": "buy", "buy_to_close": "buy", "sell_to_open": "sell", "sell_to_close": "sell"}
STATUSES = {"new": "open", "held": "held", "replaced": "canceled"}
LINKED = {"oto": 2, "oco": 2, "otoco": 3}
_DURATIONS = ("day", "gtc", "pre", "post")
_TYPES = ("market", "limit", "stop", "stop_limit")
_INDEXED = ("symbol", "option_symbol", "side", "quantity", "type", "price", "stop", "duration")


class BadParameter(Exception):
    """Answered with 400 and its text."""


def terms_of(form: Any) -> Terms:
    kind, side = form.get("class"), form.get("side")
    if kind not in ("equity", "option"):
        raise BadParameter(f"Invalid parameter, class: {kind}.")
    if side not in SIDES:
        raise BadParameter(f"Invalid parameter, side: {side}.")
    if form.get("type") not in _TYPES:
        raise BadParameter(f"Invalid parameter, type: {form.get('type')}.")
    if form.get("duration") not in _DURATIONS:
        raise BadParameter(f"Invalid parameter, duration: {form.get('duration')}.")
    tag = str(form.get("tag", ""))
    if tag and not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in tag):
        raise Refused("bad_price", "tag may hold letters, digits and dashes alone")
    return Terms(
        symbol=str(form["option_symbol"] if kind == "option" else form["symbol"]),
        side=SIDES[str(side)],
        qty=_number(form, "quantity"),
        type=str(form["type"]),
        time_in_force=str(form["duration"]),
        client_order_id=tag,
        limit_price=price_of(form, "price"),
        stop_price=price_of(form, "stop"),
    )


def _number(form: Any, name: str) -> Decimal:
    try:
        return Decimal(str(form[name]))
    except (KeyError, InvalidOperation):
        raise BadParameter(f"Invalid parameter, {name}: {form.get(name)}.") from None


def price_of(form: Any, name: str) -> Decimal | None:
    return _number(form, name) if name in form else None


def some(rows: list[dict[str, Any]], name: str) -> Any:
    """No rows are a text, one is an object, more are a list."""
    if not rows:
        return "null"
    return {name: rows[0] if len(rows) == 1 else rows}


def legs_of(form: Any) -> list[dict[str, Any]]:
    """The forms of the orders that are sent as one, in their order; raises `BadParameter` for what is not taken."""
    kind = str(form["class"])
    legs = []
    for at in range(LINKED[kind]):
        leg = {name: form[f"{name}[{at}]"] for name in _INDEXED if f"{name}[{at}]" in form}
        leg["class"] = "option" if "option_symbol" in leg else "equity"
        leg.setdefault("duration", form.get("duration"))
        legs.append(leg)
    first = legs if kind == "oco" else legs[:1]
    if any(leg.get("type") == "market" for leg in first):
        raise BadParameter("OtoFirstLegIsMarketNotAllowed")
    alternatives = legs if kind == "oco" else legs[1:]
    for name, differ in (("symbol", False), ("duration", False), ("type", True)):
        if len(alternatives) == 2 and (alternatives[0].get(name) != alternatives[1].get(name)) is not differ:
            raise BadParameter(f"Invalid parameter, {name}[2]: must {'' if differ else 'not '}differ.")
    return legs


def row_of(order: Order, number: int, side: str, kind: str) -> dict[str, Any]:
    """An order as it is shown, without its tag."""
    terms = order.terms
    row: dict[str, Any] = {
        "id": number,
        "type": terms.type,
        "symbol": terms.symbol,
        "side": side,
        "quantity": float(terms.qty),
        "status": STATUSES.get(order.status, order.status),
        "duration": terms.time_in_force,
        "avg_fill_price": float(order.average or 0),
        "exec_quantity": float(order.filled),
        "last_fill_price": float(order.average or 0),
        "last_fill_quantity": float(order.filled),
        "remaining_quantity": float(order.remaining),
        "create_date": order.created_at.isoformat(),
        "transaction_date": order.updated_at.isoformat(),
        "class": kind,
    }
    if terms.limit_price is not None:
        row["price"] = float(terms.limit_price)
    if terms.stop_price is not None:
        row["stop_price"] = float(terms.stop_price)
    return row
