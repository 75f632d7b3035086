"""Interactive Brokers' words for contracts, orders and states. Pure: plain data in and out, no client library."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from trading.engine.errors import Rejected
from trading.engine.instruments import AssetClass, Right, instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.symbols import Symbol
from trading.engine.updates import UpdateKind

_TYPES: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
_AT_CLOSE: Final = {OrderType.MARKET: "MOC", OrderType.LIMIT: "LOC"}
_TIMES: Final = {
    TimeInForce.DAY: "DAY",
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.OPG: "OPG",
    TimeInForce.CLS: "DAY",
}
_STATES: Final = {
    "PreSubmitted": UpdateKind.ACCEPTED,
    "Submitted": UpdateKind.ACCEPTED,
    "PendingCancel": UpdateKind.ACCEPTED,
    "Cancelled": UpdateKind.CANCELLED,
    "ApiCancelled": UpdateKind.CANCELLED,
    "Inactive": UpdateKind.REJECTED,
}

#: Of an error's code: what it says about the order or the connection that it names.
REJECTS: Final = frozenset({103, 110, 200, 201, 203, 321, 354})
CANCEL_FAILED: Final = frozenset({135, 161, 10147, 10148})
#: About an order that goes on, or of what its status tells anyway.
_NOTICES: Final = frozenset({202, 399, 404, 434, 492, 10167, 10349})
TAKEN_CLIENT_ID: Final = 326
CONNECTION_LOST: Final = frozenset({1100, 2110})
CONNECTION_BACK: Final = frozenset({1101, 1102})
SUBSCRIPTIONS_LOST: Final = 1101
#: Of market data: a farm that is away, another session of the same user; and a farm that is back.
DATA_LOST: Final = frozenset({2103, 2105, 10197})
DATA_BACK: Final = frozenset({2104, 2106})
_HISTORY_ERROR: Final = 162
#: What a halt tick says; below zero it says nothing.
_HALTS: Final = {0: "", 1: "trading halt", 2: "volatility halt"}
#: Listing venues that have another name there.
_LISTED: Final = {"XNAS": "NASDAQ", "XNYS": "NYSE", "ARCX": "ARCA", "XASE": "AMEX", "XCBO": "CBOE"}
#: The largest number of the protocol stands for a figure that is not set.
UNSET: Final = 1e300


def contract(symbol: str, exchange: str, currency: str) -> dict[str, Any]:
    """The fields that name an instrument, by the names of the client library's Contract."""
    instrument = instrument_of(symbol)
    ticker = Symbol.parse(symbol).ticker
    terms = instrument.option
    if terms is not None:
        return {
            "secType": "OPT",
            "symbol": terms.underlying,
            "lastTradeDateOrContractMonth": f"{terms.expiry:%Y%m%d}",
            "strike": float(terms.strike),
            "right": "C" if terms.right is Right.CALL else "P",
            "multiplier": str(instrument.multiplier),
            "exchange": exchange,
            "currency": currency,
        }
    if instrument.asset is AssetClass.CRYPTO:
        base, _, quote = ticker.partition("/")
        return {"secType": "CRYPTO", "symbol": base, "exchange": "PAXOS", "currency": quote}
    # A share class is written with a blank there.
    listed = Symbol.parse(symbol).venue or ""
    return {
        "secType": "STK",
        "symbol": ticker.replace(".", " "),
        "exchange": exchange,
        "currency": currency,
        "primaryExchange": _LISTED.get(listed, listed),
    }


def order(record: OrderRecord, account: str = "") -> dict[str, Any]:
    """The fields of a new order, by the names of the client library's Order; raises `Rejected` for what it has not."""
    tif = _TIMES.get(record.time_in_force)
    kind = _AT_CLOSE.get(record.type) if record.time_in_force is TimeInForce.CLS else _TYPES[record.type]
    if tif is None or kind is None:
        raise Rejected(f"ibkr takes no {record.type} orders with time in force {record.time_in_force} here")
    fields: dict[str, Any] = {
        "action": record.side.value.upper(),
        "totalQuantity": float(record.qty),
        "orderType": kind,
        "tif": tif,
        "orderRef": record.client_order_id,
        "outsideRth": record.extended_hours,
        "account": account,
    }
    if record.group:
        # 2: what one fills is taken from the others, never more than one at a time at the exchange.
        fields |= {"ocaGroup": record.group, "ocaType": 2}
    if record.limit_price is not None:
        fields["lmtPrice"] = float(record.limit_price)
    aux = record.stop_price if record.stop_price is not None else record.trail_amount
    if aux is not None:
        fields["auxPrice"] = float(aux)
    if record.trail_percent is not None:
        fields["trailingPercent"] = float(record.trail_percent)
    return fields


def terms(symbol: str, fields: Any) -> OrderRequest:
    """What an order of other hands was asked for, from the client library's Order."""
    types = {word: kind for kind, word in (*_TYPES.items(), *_AT_CLOSE.items())}
    times = {word: tif for tif, word in _TIMES.items() if tif is not TimeInForce.CLS}
    return OrderRequest(
        symbol=symbol,
        side=Side(str(fields.action).lower()),
        qty=figure(fields.totalQuantity),
        type=types.get(str(fields.orderType), OrderType.MARKET),
        time_in_force=times.get(str(fields.tif), TimeInForce.DAY),
        limit_price=_optional(fields.lmtPrice) if "LMT" in str(fields.orderType) else None,
        stop_price=_optional(fields.auxPrice) if "STP" in str(fields.orderType) else None,
    )


def state(status: str, reason_code: int = 0) -> UpdateKind | None:
    """What a status says, given the code of the last error about the order; None: nothing new."""
    kind = _STATES.get(status)
    return UpdateKind.REJECTED if kind is UpdateKind.CANCELLED and reason_code in REJECTS else kind


def is_notice(code: int) -> bool:
    """Whether an error's code asks for nothing: the order that it names goes on, or has ended as was wanted."""
    return code in _NOTICES or 2100 <= code < 2200


def halt(tick: float) -> str | None:
    """Why a symbol does not trade, empty where it does; None where the tick does not tell."""
    return _HALTS.get(int(tick), "halt") if tick >= 0 else None


def has_no_data(error: Exception) -> bool:
    """Whether a question for recorded bars was answered: there are none."""
    return getattr(error, "code", 0) == _HISTORY_ERROR and "no data" in str(error).lower()


def figure(value: float) -> Decimal:
    """A float of the protocol as the decimal that was written; raises ValueError where it is none."""
    read = Decimal(repr(float(value)))
    if not read.is_finite() or abs(read) > UNSET:
        raise ValueError(f"{value!r} is no figure")
    return read


def _optional(value: float) -> Decimal | None:
    return figure(value) if abs(value) < UNSET else None


def symbol(contract_: Any, spelled: Mapping[str, str]) -> str:
    """A contract's symbol as the run spells it."""
    if contract_.secType == "OPT":
        expiry = str(contract_.lastTradeDateOrContractMonth)[2:8]
        text = f"{contract_.symbol}{expiry}{str(contract_.right)[:1]}{round(float(contract_.strike) * 1000):08d}"
    elif contract_.secType == "CRYPTO":
        text = f"{contract_.symbol}/{contract_.currency}"
    else:
        text = str(contract_.symbol).replace(" ", ".")
    return spelled.get(text, text)
