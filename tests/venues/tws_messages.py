"""The messages of the TWS socket that the stub sends and reads, field by field, at server version 176."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

from tests.venues.book import Event, Order, Terms

VERSION = 176
ACCOUNT = "DU123456"
UNSET = "1.7976931348623157e+308"

STATUSES = {
    "held": "PreSubmitted",
    "new": "Submitted",
    "partially_filled": "Submitted",
    "filled": "Filled",
    "canceled": "Cancelled",
    "expired": "Cancelled",
}
permanent = count(900_001)

# Where placeOrder carries what the stub looks at.
_SYMBOL, _ACTION, _QTY, _TYPE, _LIMIT, _AUX, _TIF, _OCA = 3, 16, 17, 18, 19, 20, 21, 22
_REF, _TRANSMIT, _PARENT, _OUTSIDE, _TRAIL_PERCENT = 26, 27, 28, 33, 70


@dataclass
class Placed:
    """An order as its client numbered it."""

    client_id: int
    number: int
    symbol: str
    type: str
    reference: str
    parent: int
    oca: str
    permanent: int
    tif: str
    book_id: str = ""

    def key(self, terms: Terms) -> str:
        """The book's client order id: references need not be unique, numbers are."""
        terms.client_order_id = f"{self.reference}#{self.client_id}/{self.number}"
        return terms.client_order_id

    @staticmethod
    def key_of(terms: Terms) -> str:
        return terms.client_order_id


def placed(client_id: int, fields: list[str], types: dict[str, str]) -> tuple[Placed, Terms, bool]:
    """A placeOrder request: the order's names, its terms, and whether to transmit it now."""
    kind = types[fields[_TYPE]]
    one = Placed(
        client_id=client_id,
        number=int(fields[1]),
        symbol=fields[_SYMBOL],
        type=fields[_TYPE],
        reference=fields[_REF],
        parent=int(fields[_PARENT] or 0),
        oca=fields[_OCA],
        permanent=next(permanent),
        tif=fields[_TIF],
    )
    limit, aux = _figure(fields[_LIMIT]), _figure(fields[_AUX])
    terms = Terms(
        symbol=fields[_SYMBOL],
        side=fields[_ACTION].lower(),
        qty=Decimal(fields[_QTY]),
        type=kind,
        time_in_force=(fields[_TIF] or "DAY").lower(),
        limit_price=limit if kind in ("limit", "stop_limit") else None,
        stop_price=aux if kind in ("stop", "stop_limit") else None,
        trail_price=aux if kind == "trailing_stop" else None,
        trail_percent=_figure(fields[_TRAIL_PERCENT]) if kind == "trailing_stop" else None,
        extended_hours=fields[_OUTSIDE] == "1",
        group=fields[_OCA] or None,
    )
    return one, terms, fields[_TRANSMIT] == "1"


def _figure(text: str) -> Decimal | None:
    return Decimal(text) if text and text != UNSET else None


def contract(symbol: str) -> tuple[Any, ...]:
    """The 11 fields of a contract as the server sends it."""
    return (_number(symbol), symbol, "STK", "", "0", "", "", "SMART", "USD", symbol, symbol)


def _number(symbol: str) -> int:
    return int.from_bytes(symbol.encode()[:4], "big") % 1_000_000


def error(request: int, code: int, text: str) -> tuple[Any, ...]:
    return (4, 2, request, code, text, "")


def order_status(one: Placed, order: Order, last: Decimal = Decimal(0)) -> tuple[Any, ...]:
    status = STATUSES[order.status]
    filled, average = order.filled, order.average or 0
    fields = (one.number, status, filled, order.remaining, average, one.permanent, one.parent, last, one.client_id)
    return (3, *fields, "", 0)


def execution(request: int, one: Placed, event: Event) -> tuple[Any, ...]:
    order = event.order
    side = "BOT" if order.terms.side == "buy" else "SLD"
    time = f"{event.time:%Y%m%d %H:%M:%S} UTC"
    what = (event.execution_id, time, ACCOUNT, "SMART", side, event.qty, event.price, one.permanent, one.client_id)
    total = (0, order.filled, order.average, one.reference, "", "", "", 1)
    return (11, request, one.number, *contract(one.symbol), *what, *total)


def commission(execution_id: str, amount: Decimal) -> tuple[Any, ...]:
    return (59, 1, execution_id, amount, "USD", UNSET, UNSET, "")


def contract_details(request: int, symbol: str, listed: str) -> tuple[Any, ...]:
    head = (symbol, "STK", "", "0", "", "SMART", "USD", symbol, symbol, symbol, _number(symbol), "0.01")
    market = ("", "LMT,MKT,STP", "SMART", 1, 0, symbol, listed, "", "", "", "", "US/Eastern", "", "", "", "", 0)
    return (10, request, *head, *market, 1, "", "", "26", "", "COMMON", 1, 1, 100)


def open_order(one: Placed, order: Order) -> tuple[Any, ...]:
    """The longest of them: most of its fields say that nothing of the kind was asked for."""
    terms = order.terms
    aux = terms.stop_price or terms.trail_price
    head = (
        *(terms.side.upper(), terms.qty, one.type, terms.limit_price or "0.0", aux or "0.0", one.tif),
        *(one.oca, ACCOUNT, "", 0, one.reference, one.client_id, one.permanent),
        *(int(terms.extended_hours), 0, 0, "", "", "", "", "", "", "", "", "", "", "", 0, "", -1),
        # From the auction strategy to the volatility, with the parent in between.
        *(0, "", "", "", "", "", "", 0, 0, 0, "", 3, 0, 0, "", one.parent, 0, "", 0, "None", ""),
        # A delta-neutral order type of "None" is followed by its eight fields.
        *(0, "", "", "", "?", 0, 0, ""),
    )
    middle = (0, 0, "", terms.trail_percent or "", "", "", "", 0, 0, 0, "", "", "", "", 0, "", "", 0, 0, "", 0, 0)
    state = (STATUSES[order.status], *[UNSET] * 9, "", "", "", "", "", 0, 0)
    tail = (0, "", "", "", "", "", "", "", 0, "", "", "", 0, 0, 0, 0, 0, "", 0, 0, "", "", "", "", "")
    return (5, one.number, *contract(one.symbol), *head, *middle, *state, *tail)


def completed_order(one: Placed, order: Order) -> tuple[Any, ...]:
    """An order that is over, with neither its client nor that one's number for it."""
    terms = order.terms
    aux = terms.stop_price or terms.trail_price
    head = (
        *(terms.side.upper(), terms.qty, one.type, terms.limit_price or "0.0", aux or "0.0", one.tif),
        *(one.oca, ACCOUNT, "", 0, one.reference, one.permanent, int(terms.extended_hours), 0, 0),
        # From a time to begin at to the delta-neutral auxiliary price.
        *("", "", "", "", "", "", "", "", "", "", 0, "", -1, "", "", "", "", "", "", 0, 0, "", 3, 0, "", "", "", ""),
    )
    middle = (0, 0, "", terms.trail_percent or "", "", 0, 0, 0, "", "", "", "", "", "", 0, 0, "", 0)
    state = (STATUSES[order.status], 0, 0, 0, "", "", "", 0, 0, "", order.filled, 0, 0, "", 0, 0, 0)
    completed = (f"{order.updated_at:%Y%m%d %H:%M:%S} UTC", order.status.title())
    return (101, *contract(one.symbol), *head, *middle, *state, *completed, "", "", "", "", "")
