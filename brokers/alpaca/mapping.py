"""Alpaca's words for orders, positions and the account. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from brokers.base import VenueAccount, VenueClock, VenueFill, VenuePosition
from brokers.reading import figure, moment, unit_value
from brokers.sightings import VenueOrder, execution_name
from trading.engine.bars import to_datetime
from trading.engine.errors import Rejected
from trading.engine.instruments import AssetClass, instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.symbols import Symbol
from trading.engine.updates import UpdateKind

_TIMES: Final = {
    AssetClass.EQUITY: {
        TimeInForce.DAY,
        TimeInForce.GTC,
        TimeInForce.OPG,
        TimeInForce.CLS,
        TimeInForce.IOC,
        TimeInForce.FOK,
    },
    AssetClass.OPTION: {TimeInForce.DAY},
    AssetClass.CRYPTO: {TimeInForce.GTC, TimeInForce.IOC},
}
_STAYING: Final = (TimeInForce.DAY, TimeInForce.GTC)
_AUCTIONS: Final = (TimeInForce.OPG, TimeInForce.CLS)
_IN_FRACTIONS: Final = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
_KINDS: Final = {
    AssetClass.EQUITY: tuple(OrderType),
    AssetClass.OPTION: _IN_FRACTIONS,
    AssetClass.CRYPTO: (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT),
}
#: What an entitlement is about, and the account's field that tells it.
_ENTITLEMENTS: Final = {
    "status": "status",
    "shorting": "shorting_enabled",
    "options level": "options_trading_level",
    "crypto": "crypto_status",
}
_BLOCKS: Final = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
_WORKING: Final = UpdateKind.ACCEPTED
_STATES: Final[dict[str, UpdateKind | None]] = {
    "accepted": _WORKING,
    "new": _WORKING,
    "partially_filled": _WORKING,
    "accepted_for_bidding": _WORKING,
    "stopped": _WORKING,
    "suspended": _WORKING,
    "held": _WORKING,
    "pending_review": _WORKING,
    "pending_cancel": _WORKING,
    "pending_replace": _WORKING,
    "calculated": _WORKING,
    "pending_new": None,
    "filled": None,
    "done_for_day": UpdateKind.EXPIRED,
    "canceled": UpdateKind.CANCELLED,
    "expired": UpdateKind.EXPIRED,
    "rejected": UpdateKind.REJECTED,
    "replaced": UpdateKind.REPLACED,
}
#: Events after which an order's fills are not what they were; documented for the broker API alone.
CORRECTIONS: Final = frozenset({"trade_correct", "trade_bust"})
_EXITS: Final = {OrderType.LIMIT: "take_profit", OrderType.STOP: "stop_loss", OrderType.STOP_LIMIT: "stop_loss"}


def payload(order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> dict[str, Any]:
    """The body that places an order with those that depend on it; raises `Rejected` naming what Alpaca has not.

    Figures are sent as texts, so that no digit is lost.
    """
    _check(order, linked)
    body: dict[str, Any] = {
        "symbol": Symbol.parse(order.symbol).ticker,
        "side": order.side.value,
        "qty": _text(order.qty),
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.client_order_id,
        "extended_hours": order.extended_hours,
    }
    prices = {
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "trail_price": order.trail_amount,
        "trail_percent": order.trail_percent,
    }
    body |= {name: _text(price) for name, price in prices.items() if price is not None}
    return body | (_links(order, linked) if linked else {})


def _check(order: OrderRecord, linked: Sequence[OrderRecord]) -> None:
    """Raise `Rejected` for terms that Alpaca takes in no order, or in none of this kind."""
    asset, tif, kind = instrument_of(order.symbol).asset, order.time_in_force, order.type
    times, kinds = _TIMES[asset], _KINDS[asset]
    if tif not in times:
        raise Rejected(f"alpaca takes no time in force {tif} for {asset} orders; it takes {_words(times)}")
    if kind not in kinds:
        raise Rejected(f"alpaca takes no {kind} orders for {asset}; it takes {_words(kinds)}")
    if kind is OrderType.TRAILING_STOP and tif not in _STAYING:
        raise Rejected(f"alpaca takes trailing stops for {_words(_STAYING)}, not {tif}")
    if tif in _AUCTIONS and kind not in (OrderType.MARKET, OrderType.LIMIT):
        raise Rejected(f"alpaca takes market and limit orders into an auction, no {kind}")
    if order.extended_hours and (kind is not OrderType.LIMIT or tif not in _STAYING or asset is not AssetClass.EQUITY):
        raise Rejected(f"outside of the session alpaca takes limit orders for stocks by {_words(_STAYING)} alone")
    if order.qty != order.qty.to_integral_value() and asset is AssetClass.EQUITY:
        if tif is not TimeInForce.DAY or kind not in _IN_FRACTIONS:
            raise Rejected(f"alpaca takes {order.qty:f} units by day orders alone: {_words(_IN_FRACTIONS)}")
        if linked:
            raise Rejected(f"alpaca links no orders for {order.qty:f} units, but for whole ones")
    if linked and (asset is not AssetClass.EQUITY or tif not in _STAYING or order.extended_hours):
        raise Rejected(f"alpaca links orders for stocks by {_words(_STAYING)} within the session alone")


def _words(allowed: Iterable[StrEnum]) -> str:
    return ", ".join(sorted(allowed))


def _links(order: OrderRecord, linked: Sequence[OrderRecord]) -> dict[str, Any]:
    """The legs of a bracket, of one-triggers-other and of one-cancels-other.

    A leg is told by its prices alone: its symbol, side, quantity and time in force are what the first order makes of
    them.
    """
    waits = [one.parent_id == order.id for one in linked]
    alike = all(
        (one.symbol, one.qty, one.side is order.side) == (order.symbol, order.qty, not wait)
        for one, wait in zip(linked, waits, strict=True)
    )
    if not alike:
        raise Rejected("alpaca links orders of one symbol and quantity alone: exits with their entry, or two exits")
    if any(one.time_in_force is not order.time_in_force for one in linked):
        # A stop that was to stay would expire at the close, and leave what it protects alone.
        raise Rejected("alpaca gives linked orders one time in force: make all of them day, or all of them gtc")
    if all(waits) and len(linked) <= 2:
        found = {"order_class": "bracket" if len(linked) == 2 else "oto", **_exits(linked)}
        if len(found) == len(linked) + 1:
            return found
    elif not any(waits) and len(linked) == 1 and order.type is OrderType.LIMIT:
        exits = _exits([order, *linked])
        if len(exits) == 2:
            return {"order_class": "oco", **exits}
    raise Rejected("alpaca links an entry with a limit and a stop that close it, or a limit with a stop, and no others")


def _exits(legs: Sequence[OrderRecord]) -> dict[str, Any]:
    exits: dict[str, Any] = {}
    for leg in legs:
        name = _EXITS.get(leg.type)
        if name is not None:
            prices = {"limit_price": leg.limit_price, "stop_price": leg.stop_price}
            exits[name] = {key: _text(price) for key, price in prices.items() if price is not None}
    return exits


def names_of_legs(row: dict[str, Any], linked: Sequence[OrderRecord]) -> dict[str, str]:
    """Alpaca's id of each linked order, which it names itself, to our client order id: told apart by their type."""
    legs = [(leg_of(row, one), one.client_order_id) for one in linked]
    return {str(leg["id"]): name for leg, name in legs if leg is not None}


def leg_of(row: dict[str, Any], order: OrderRecord) -> dict[str, Any] | None:
    """The row of a linked order, which stands below the one that it was sent with; None where it does not."""
    return next((leg for leg in row.get("legs") or () if leg.get("type") == order.type.value), None)


def changes(order: OrderRecord) -> dict[str, Any]:
    """The body that replaces an order by this one."""
    terms = {
        "qty": order.qty,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "trail": order.trail_amount if order.trail_amount is not None else order.trail_percent,
    }
    body: dict[str, Any] = {name: _text(value) for name, value in terms.items() if value is not None}
    return body | {"time_in_force": order.time_in_force.value, "client_order_id": order.client_order_id}


def order_of(row: dict[str, Any]) -> VenueOrder:
    """One order; raises KeyError, TypeError or ValueError for what cannot be read. What is done for the day goes on the
    next one, unless it is for the day."""
    state = _STATES.get(str(row["status"]), UpdateKind.UNKNOWN)
    if row["status"] == "done_for_day" and row["time_in_force"] == "gtc":
        state = _WORKING
    return VenueOrder(
        client_order_id=str(row["client_order_id"]),
        venue_order_id=str(row["id"]),
        state=state,
        terms=_terms(row),
        time=moment(row.get("updated_at") or row["created_at"]),
        filled_qty=figure(row.get("filled_qty") or 0),
        avg_price=figure(row.get("filled_avg_price") or 0),
    )


def rows_of(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Orders and their legs, which stand below them; without those for an amount of money that have not traded yet,
    since nobody knows for how many units they are."""
    every = [one for row in rows for one in (row, *(row.get("legs") or ()))]
    return [one for one in every if one.get("qty") or not one.get("notional") or figure(one.get("filled_qty") or 0)]


def _terms(row: dict[str, Any]) -> OrderRequest:
    """What it was asked for; a type or time in force that we have no word for shows as the nearest one."""
    kind, tif = str(row["type"]), str(row["time_in_force"])
    return OrderRequest(
        symbol=str(row["symbol"]),
        side=Side(row["side"]),
        qty=_units(row),
        type=OrderType(kind) if kind in set(OrderType) else OrderType.MARKET,
        time_in_force=TimeInForce(tif) if tif in set(TimeInForce) else TimeInForce.DAY,
        limit_price=_optional(row, "limit_price"),
        stop_price=_optional(row, "stop_price"),
        trail_amount=_optional(row, "trail_price"),
        trail_percent=_optional(row, "trail_percent"),
        extended_hours=bool(row.get("extended_hours")),
    )


def _units(row: dict[str, Any]) -> Decimal:
    """How many units an order is for; one for an amount of money that is not done is for what its price makes of it."""
    if row.get("qty"):
        return figure(row["qty"])
    filled = figure(row["filled_qty"])
    if str(row["status"]) == "filled":
        return filled
    return max(figure(row["notional"]) / figure(row["filled_avg_price"]), filled)


def _optional(row: dict[str, Any], name: str) -> Decimal | None:
    return None if row.get(name) is None else figure(row[name])


def fill_of(row: dict[str, Any]) -> VenueFill:
    """One account activity. Alpaca's fees are activities of their own, at the day's end."""
    return VenueFill(
        client_order_id="",
        venue_order_id=str(row["order_id"]),
        execution_id=execution_name(str(row["order_id"]), figure(row["cum_qty"])),
        symbol=str(row["symbol"]),
        side=Side.BUY if row["side"] == "buy" else Side.SELL,
        qty=figure(row["qty"]),
        price=figure(row["price"]),
        fee=Decimal(0),
        time=moment(row["transaction_time"]),
    )


def instant(nanos: int) -> str:
    """A moment as Alpaca's queries take it."""
    return f"{to_datetime(nanos):%Y-%m-%dT%H:%M:%S.%fZ}"


def position_of(row: dict[str, Any]) -> VenuePosition:
    qty = figure(row["qty"])
    return VenuePosition(str(row["symbol"]), qty, unit_value(row.get("market_value") or row.get("cost_basis"), qty))


def account_of(row: dict[str, Any]) -> VenueAccount:
    """The account. Alpaca leaves fields out by and by, so only its money must be there."""
    said = {about: row.get(name) for about, name in _ENTITLEMENTS.items()}
    blocks = [name.replace("_", " ") for name in _BLOCKS if row.get(name)]
    if row.get("status", "ACTIVE") != "ACTIVE":
        blocks.append(f"the account is {row['status']}")
    return VenueAccount(
        str(row["account_number"]),
        cash=figure(row["cash"]),
        equity=figure(row["equity"]),
        buying_power=figure(row["buying_power"]),
        entitlements={about: _word(value) for about, value in said.items() if value is not None},
        blocked=", ".join(blocks),
    )


def clock_of(row: dict[str, Any]) -> VenueClock:
    return VenueClock(moment(row["timestamp"]), bool(row["is_open"]))


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _text(value: Decimal) -> str:
    return format(value, "f")
