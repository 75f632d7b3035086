"""How the contract suite reaches a venue: an adapter that is connected, and the means to make things happen there."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

import msgspec
import pytest

from brokers.base import IBrokerage, Recalled
from brokers.pacing import RateLimit
from tests.venues.book import OPEN, ZERO, Book, Terms
from trading.engine.errors import Unknown
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate

SYMBOL = "SPY"
_numbers = count(1)


def order(side: Side = Side.BUY, qty: str = "10", **terms: Any) -> OrderRecord:
    """An order that the run has decided and committed, as a driver hands it to an adapter."""
    name = f"run-{next(_numbers)}"
    facts: dict[str, Any] = {
        "id": name,
        "client_order_id": name,
        "symbol": SYMBOL,
        "side": side,
        "qty": Decimal(qty),
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "limit_price": None,
        "created_at": time.time_ns(),
        "signal": side.value,
        "collateral": Decimal(1),
        "status": OrderStatus.SUBMITTED,
    }
    return OrderRecord(**{**facts, **terms})


def limit(price: str, side: Side = Side.BUY, qty: str = "10", **terms: Any) -> OrderRecord:
    return order(side, qty, type=OrderType.LIMIT, limit_price=Decimal(price), **terms)


def stop(price: str, side: Side = Side.SELL, qty: str = "10", **terms: Any) -> OrderRecord:
    return order(side, qty, type=OrderType.STOP, stop_price=Decimal(price), **terms)


def booked(one: OrderRecord, heard: list[OrderUpdate]) -> Recalled:
    """An order as the run's books have it that has been accepted, and filled as far as was heard."""
    fills = [update for update in heard if update.kind is UpdateKind.FILL]
    facts = {"venue_order_id": heard[0].venue_order_id, "filled_qty": filled(heard), "status": OrderStatus.ACCEPTED}
    return Recalled(
        msgspec.structs.replace(one, **facts),
        value=sum((fill.qty * fill.price for fill in fills), ZERO),
        fee=sum((fill.fee for fill in fills), ZERO),
        execution_ids=frozenset(fill.execution_id for fill in fills),
    )


def filled(updates: list[OrderUpdate]) -> Decimal:
    return sum((one.qty for one in updates if one.kind is UpdateKind.FILL), ZERO)


class Venue(ABC):
    """One venue and an adapter for it. The market stands at 100."""

    has_no_clock: ClassVar[bool] = False
    #: The faults after which a new order is at the venue and nobody was told.
    ways_to_lose_an_answer: ClassVar[tuple[str, ...]] = ("swallow", "error", "garbage")

    def __init__(self) -> None:
        self.adapter = self.make()
        self.heard: list[VenueUpdate] = []

    @abstractmethod
    def make(self, **kwargs: object) -> IBrokerage:
        """An adapter for the venue; ``kwargs`` put other credentials in place of the right ones."""

    @abstractmethod
    def trade(self, price: str, size: str | None = None) -> None:
        """Let the market trade in `SYMBOL`."""

    @abstractmethod
    def placed(self) -> int:
        """How many orders the venue has ever taken."""

    @abstractmethod
    def working(self) -> set[str]:
        """The client order ids of what may still trade at the venue."""

    @abstractmethod
    def money(self) -> tuple[Decimal, Decimal]:
        """Cash and equity as the venue has them."""

    def by_hand(self) -> str:
        """Place an order past the adapter, resting; its id at the venue."""
        raise NotImplementedError

    def correct(self, of: OrderRecord, price: str) -> None:
        """Correct the price at which an order was filled."""
        raise NotImplementedError

    def lose_answer(self, fault: str, call: str = "submit", times: int = 1) -> None:
        """Let the venue do what the next such call asks for, and lose its answer in this way."""
        raise NotImplementedError

    def spoil_events(self, fault: str) -> None:
        """Lose, repeat or hold back the venue's next event."""
        raise NotImplementedError

    def interrupt(self) -> AbstractContextManager[object]:
        """The venue is not heard for a while."""
        raise NotImplementedError

    def unsure(self) -> AbstractContextManager[object]:
        """What a new order whose answer is lost ends with; a venue that can be asked at once has found it."""
        return pytest.raises(Unknown)

    @property
    def wrong(self) -> dict[str, object]:
        """Credentials that the venue does not take."""
        raise NotImplementedError

    def hear(self, until: Callable[[list[OrderUpdate]], bool], of: OrderRecord | None = None) -> list[OrderUpdate]:
        """The updates of an order, once they are as expected."""
        give_up = time.monotonic() + 15
        while True:
            self.heard += self.adapter.drain_updates()
            updates = [one for one in self.heard if isinstance(one, OrderUpdate)]
            mine = [one for one in updates if of is None or one.client_order_id == of.client_order_id]
            if until(mine):
                return mine
            assert time.monotonic() < give_up, f"heard only {mine}"
            time.sleep(0.01)

    def kinds(self, of: OrderRecord, last: UpdateKind, amount: str = "0") -> list[UpdateKind]:
        """The kinds of updates of an order, up to this one and this quantity."""

        def complete(updates: list[OrderUpdate]) -> bool:
            return last in [one.kind for one in updates] and filled(updates) >= Decimal(amount)

        return [one.kind for one in self.hear(complete, of)]

    def go_on(self, *orders: Recalled) -> None:
        """The adapter's process is lost. Another one takes its place, with what the run's books have of its orders."""
        self.adapter.close()
        self.adapter, self.heard = self.make(), []
        self.adapter.recall(orders)
        self.adapter.connect()

    def rest(self, one: OrderRecord) -> OrderRecord:
        """Send an order and wait until the venue has it."""
        self.adapter.submit_order(one)
        self.kinds(one, UpdateKind.ACCEPTED)
        return one


class StubVenue(Venue):
    """A venue whose stub stands behind the adapter. ``routes`` are the requests of each call, by method and path;
    ``words`` what its orders call their fields."""

    routes: ClassVar[dict[str, str]] = {}
    words: ClassVar[dict[str, str]] = {}
    stub: Any

    @property
    def book(self) -> Book:
        return self.stub.book

    def trade(self, price: str, size: str | None = None) -> None:
        self.stub.trade(SYMBOL, price, size)

    def placed(self) -> int:
        return len(self.book.orders)

    def working(self) -> set[str]:
        orders = list(self.book.orders.values())
        return {one.terms.client_order_id for one in orders if one.status in OPEN}

    def money(self) -> tuple[Decimal, Decimal]:
        held = self.book.positions.get(SYMBOL, ZERO)
        return self.book.cash, self.book.cash + held * self.book.last[SYMBOL]

    def by_hand(self) -> str:
        terms = Terms(SYMBOL, "buy", qty=Decimal(3), type="limit", limit_price=Decimal(90))
        return self.stub.call(self.book.submit, terms).id

    def correct(self, of: OrderRecord, price: str) -> None:
        [held] = [one for one in self.book.orders.values() if one.terms.client_order_id == of.client_order_id]
        self.stub.call(self.book.correct, held.id, held.filled, Decimal(price))

    def lose_answer(self, fault: str, call: str = "submit", times: int = 1) -> None:
        self.stub.faults.plan(fault, times=times, where=self.routes[call], seconds=0)

    def spoil_events(self, fault: str) -> None:
        self.stub.faults.plan(fault)

    def bend(self, call: str, change: Callable[[Any], Any], times: int = 1) -> None:
        """Change what the next answers to such a call say."""
        self.stub.faults.plan("bend", times=times, where=self.routes[call], change=change)

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.stub.call(self.stub.faults.clear)

    @contextmanager
    def interrupt(self) -> Iterator[None]:
        self.stub.faults.plan("refuse_error", times=1_000_000, where="GET")
        self.stub.call(self.stub.drop_streams)
        yield
        self.mend()

    def rows(self, body: Any) -> list[dict[str, Any]]:
        """The orders of an answer that lists them."""
        raise NotImplementedError

    def with_word(self, field: str, of: OrderRecord | None = None) -> Callable[[Any], Any]:
        """A change of an answer after which orders, or one, have a word in this field that nobody knows."""

        def change(body: Any) -> Any:
            for row in self.rows(body):
                if of is None or row[self.words["name"]] == of.client_order_id:
                    row[self.words[field]] = "martian"
            return body

        return change

    def garble(self, field: str, of: OrderRecord | None = None) -> None:
        """From here on the venue shows orders, or one, with a word in this field that nobody knows."""
        self.bend("orders", self.with_word(field, of), times=1_000_000)

    def pace(self, limit: RateLimit, adapter: Any = None) -> None:
        """Keep an adapter, by default the one at hand, to this limit."""
        adapter = adapter or self.adapter
        adapter._limit = adapter._order_limit = limit
