"""The book of a stub venue: orders, fills, positions and cash, matched against the prices that a test lets trade.

It knows no protocol: each stub maps its venue's words to `Terms` and its `Event`s back. It is written without the
product's engine, so that it can witness against it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from uuid import uuid4

from tests.venues.journal import Journal

ZERO = Decimal(0)
OPEN = ("held", "new", "partially_filled")


class Refused(Exception):
    """The venue does not take it, with a stable word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Terms:
    symbol: str
    side: str
    qty: Decimal
    type: str = "market"
    time_in_force: str = "day"
    client_order_id: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: str = "simple"
    group: str | None = None


@dataclass
class Order:
    """One order at the venue. ``status``: held (waits for its parent), new, partially_filled, filled, canceled,
    expired, replaced, rejected."""

    id: str
    terms: Terms
    status: str
    created_at: datetime
    updated_at: datetime
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    triggered: bool = False
    mark: Decimal | None = None
    parent: str | None = None
    group: str | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    legs: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        return self.terms.qty - self.filled

    @property
    def average(self) -> Decimal | None:
        return self.paid / self.filled if self.filled else None

    @property
    def sign(self) -> int:
        return 1 if self.terms.side == "buy" else -1


@dataclass(frozen=True)
class Event:
    """``kind``: new, amended, fill, partial_fill, canceled, expired, replaced, rejected. ``order`` as it was then."""

    kind: str
    order: Order
    time: datetime
    execution_id: str = ""
    qty: Decimal = ZERO
    price: Decimal = ZERO
    position: Decimal = ZERO


class Book:
    """Orders of one account, which no other book has the ``number`` of.

    `trade` is the market: a price, and how much of it can be had. Market orders take the last price at once.
    """

    def __init__(
        self, journal: Journal | None = None, cash: Decimal = Decimal(100_000), unique_client_ids: bool = True
    ) -> None:
        self.journal = journal or Journal()
        self.number = uuid4().hex[:8].upper()
        self.cash = cash
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Decimal] = {}
        self.costs: dict[str, Decimal] = {}
        self.last: dict[str, Decimal] = {}
        self.halted: set[str] = set()
        self.listeners: list[Callable[[Event], None]] = []
        self.events: list[Event] = []
        self._unique = unique_client_ids
        self._left: dict[str, Decimal | None] = {}
        self._executions = count(1)

    # What clients ask for.

    def submit(self, terms: Terms, legs: tuple[Terms, ...] = ()) -> Order:
        """Take an order; ``legs`` wait for its fills, and what one of them fills the others lose."""
        self._check(terms)
        order = self._add(terms)
        for leg in legs:
            child = self._add(leg, status="held")
            child.parent = order.id
            child.group = f"exits of {order.id}"
            order.legs.append(child.id)
        self._match(order)
        return order

    def submit_group(self, all_terms: tuple[Terms, ...]) -> list[Order]:
        """Alternatives: what one of them fills the others lose."""
        for terms in all_terms:
            self._check(terms)
        orders = [self._add(terms) for terms in all_terms]
        for order in orders:
            order.group = f"alternatives of {orders[0].id}"
        for order in orders:
            self._match(order)
        return orders

    def cancel(self, order_id: str) -> Order:
        order = self.find(order_id)
        if order.status not in OPEN:
            raise Refused("not_cancelable", f"order is already in {order.status} state")
        self._end(order, "canceled")
        return order

    def cancel_all(self) -> list[Order]:
        return [self.cancel(order.id) for order in list(self.orders.values()) if order.status in OPEN]

    def replace(self, order_id: str, **changes: object) -> Order:
        """A new order in the place of an open one; ``changes`` are terms."""
        old = self.find(order_id)
        if old.status not in OPEN:
            raise Refused("not_replaceable", f"order is already in {old.status} state")
        terms = copy.copy(old.terms)
        terms.client_order_id = str(uuid4())
        for name, value in changes.items():
            setattr(terms, name, value)
        if terms.qty <= old.filled:
            raise Refused("bad_quantity", "qty must be more than what is filled")
        self._check(terms)
        new = self._add(terms, told=False)
        new.replaces, new.filled, new.paid, new.group, new.parent = old.id, old.filled, old.paid, old.group, old.parent
        old.replaced_by = new.id
        self._end(old, "replaced")
        self._tell("new", new)
        self._match(new)
        return new

    def amend(self, order_id: str, **changes: object) -> Order:
        """Other terms for an open order, which stays the same order."""
        order = self.find(order_id)
        if order.status not in OPEN:
            raise Refused("not_replaceable", f"order is already in {order.status} state")
        for name, value in changes.items():
            setattr(order.terms, name, value)
        self.journal.write("amend", id=order.id, client_order_id=order.terms.client_order_id, **changes)
        self._tell("amended", order)
        self._match(order)
        return order

    def correct(self, order_id: str, filled: Decimal, average: Decimal) -> None:
        """The market corrects what it filled of an order: so many units it was, at this price on average."""
        order = self.find(order_id)
        units, money = (filled - order.filled) * order.sign, (filled * average - order.paid) * order.sign
        kind = "trade_correct" if filled == order.filled else "trade_bust"
        order.filled, order.paid = filled, filled * average
        symbol = order.terms.symbol
        self.cash -= money
        self.positions[symbol] += units
        self.costs[symbol] += money
        self.journal.write("correction", id=order.id, symbol=symbol, filled=filled, price=average)
        self._tell(kind, order)

    def by_client_id(self, client_order_id: str) -> Order:
        for order in self.orders.values():
            if order.terms.client_order_id == client_order_id:
                return order
        raise Refused("not_found", f"no order has the client order id {client_order_id}")

    # What the market does.

    def trade(self, symbol: str, price: Decimal, size: Decimal | None = None) -> None:
        """``symbol`` trades at ``price``; ``size`` units can be had there, None: any number."""
        self.last[symbol] = price
        self._left[symbol] = size
        for order in [one for one in self.orders.values() if one.terms.symbol == symbol]:
            self._match(order)

    def end_day(self) -> None:
        """The close: orders for the day expire."""
        for order in list(self.orders.values()):
            if order.status in OPEN and order.terms.time_in_force in ("day", "opg", "cls"):
                self._end(order, "expired")

    # Inside.

    def _check(self, terms: Terms) -> None:
        if terms.qty <= 0:
            raise Refused("bad_quantity", "qty must be > 0")
        wants_limit = terms.type in ("limit", "stop_limit")
        if wants_limit != (terms.limit_price is not None):
            raise Refused("bad_price", f"{terms.type} orders {'need' if wants_limit else 'take no'} limit price")
        if terms.type in ("stop", "stop_limit") and terms.stop_price is None:
            raise Refused("bad_price", f"{terms.type} orders need a stop price")
        taken = any(one.terms.client_order_id == terms.client_order_id for one in self.orders.values())
        if self._unique and terms.client_order_id and taken:
            raise Refused("duplicate", "client_order_id must be unique")
        if terms.symbol in self.halted:
            raise Refused("halted", f"{terms.symbol} is halted")
        price = terms.limit_price or self.last.get(terms.symbol, ZERO)
        if terms.side == "buy" and terms.qty * price > self.cash:
            raise Refused("buying_power", "insufficient buying power")

    def _add(self, terms: Terms, status: str = "new", told: bool = True) -> Order:
        now = datetime.now(UTC)
        if not terms.client_order_id:
            terms.client_order_id = str(uuid4())
        order = Order(str(uuid4()), terms, status, now, now, group=terms.group)
        self.orders[order.id] = order
        self.journal.write(
            "order",
            id=order.id,
            client_order_id=terms.client_order_id,
            symbol=terms.symbol,
            side=terms.side,
            qty=terms.qty,
            type=terms.type,
            at=now.isoformat(),
        )
        if told:
            self._tell("new", order)
        return order

    def find(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise Refused("not_found", f"order not found for {order_id}")
        return self.orders[order_id]

    def _match(self, order: Order) -> None:
        symbol = order.terms.symbol
        if order.status not in ("new", "partially_filled") or symbol not in self.last or symbol in self.halted:
            return
        price = self._price(order, self.last[symbol])
        if price is not None:
            left = self._left.get(symbol)
            qty = order.remaining if left is None else min(order.remaining, left)
            qty = min(qty, self._allowed(order))
            if qty > 0 and (order.terms.time_in_force != "fok" or qty == order.remaining):
                self._fill(order, qty, price)
        if order.terms.time_in_force in ("ioc", "fok") and order.status in OPEN:
            self._end(order, "canceled")

    def _price(self, order: Order, last: Decimal) -> Decimal | None:
        """The price at which the order trades now, or None."""
        terms = order.terms
        if terms.type in ("stop", "stop_limit", "trailing_stop") and not order.triggered:
            order.triggered = self._reached(order, last)
            if not order.triggered:
                return None
        if terms.limit_price is None:
            return last
        return last if (last - terms.limit_price) * order.sign <= 0 else None

    def _reached(self, order: Order, last: Decimal) -> bool:
        """Whether the stop is triggered; the mark of a trailing stop follows the market."""
        stop = order.terms.stop_price
        if order.terms.type == "trailing_stop":
            best = min if order.sign > 0 else max
            order.mark = last if order.mark is None else best(order.mark, last)
            distance = order.terms.trail_price or order.mark * (order.terms.trail_percent or ZERO) / 100
            stop = order.mark + distance * order.sign
        assert stop is not None
        return (last - stop) * order.sign >= 0

    def _allowed(self, order: Order) -> Decimal:
        """What the order may still trade of the quantity that it shares with its group."""
        if order.group is None:
            return order.remaining
        members = [one for one in self.orders.values() if one.group == order.group and one.replaced_by is None]
        shared = order.terms.qty if order.parent is None else self.orders[order.parent].filled
        return shared - sum((one.filled for one in members), ZERO)

    def _fill(self, order: Order, qty: Decimal, price: Decimal) -> None:
        symbol = order.terms.symbol
        order.filled += qty
        order.paid += qty * price
        left = self._left.get(symbol)
        if left is not None:
            self._left[symbol] = left - qty
        signed = qty * order.sign
        self.cash -= signed * price
        self.positions[symbol] = self.positions.get(symbol, ZERO) + signed
        self.costs[symbol] = self.costs.get(symbol, ZERO) + signed * price
        order.status = "partially_filled" if order.remaining else "filled"
        execution = f"{order.id[:8]}-{next(self._executions)}"
        self.journal.write(
            "fill",
            execution_id=execution,
            id=order.id,
            client_order_id=order.terms.client_order_id,
            symbol=symbol,
            side=order.terms.side,
            qty=qty,
            price=price,
        )
        self._tell("partial_fill" if order.remaining else "fill", order, execution, qty, price)
        for child in [self.orders[leg] for leg in order.legs]:
            if child.status == "held":
                child.status = "new"
            self._match(child)
        self._close_used_up(order)

    def _close_used_up(self, order: Order) -> None:
        if order.group is None or self._allowed(order) > 0:
            return
        if order.parent is not None and self.orders[order.parent].status in OPEN:
            return
        for one in list(self.orders.values()):
            if one.group == order.group and one.status in OPEN:
                self._end(one, "canceled")

    def _end(self, order: Order, status: str) -> None:
        order.status = status
        now = datetime.now(UTC).isoformat()
        self.journal.write("end", id=order.id, client_order_id=order.terms.client_order_id, status=status, at=now)
        self._tell(status, order)
        if not order.filled:
            for leg in order.legs:
                if self.orders[leg].status in OPEN:
                    self._end(self.orders[leg], "canceled")

    def _tell(
        self, kind: str, order: Order, execution_id: str = "", qty: Decimal = ZERO, price: Decimal = ZERO
    ) -> None:
        order.updated_at = datetime.now(UTC)
        position = self.positions.get(order.terms.symbol, ZERO)
        event = Event(kind, copy.deepcopy(order), order.updated_at, execution_id, qty, price, position)
        self.events.append(event)
        for listener in self.listeners:
            listener(event)
