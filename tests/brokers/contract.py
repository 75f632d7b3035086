"""What every venue's adapter must do, whatever its protocol: one suite, a `Venue` each.

`Venue` says how to reach the stub behind an adapter; the adapter is driven by its blocking form.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from itertools import count
from typing import ClassVar

import pytest

from brokers.base import IBrokerage, VenuePosition
from tests.risk.waiting import eventually
from tests.venues.book import Book
from trading.engine.errors import Fatal, Rejected, Transient, Unknown
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate

SYMBOL = "SPY"
_numbers = count(1)


def order(side: Side = Side.BUY, qty: str = "10", **terms) -> OrderRecord:
    """An order that the run has decided and committed, as a driver hands it to an adapter."""
    name = f"run-{next(_numbers)}"
    facts = {
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


def limit(price: str, side: Side = Side.BUY, qty: str = "10", **terms) -> OrderRecord:
    return order(side, qty, type=OrderType.LIMIT, limit_price=Decimal(price), **terms)


class Venue(ABC):
    """One venue's stub and an adapter that is connected to it."""

    def __init__(self) -> None:
        self.adapter = self.make()
        self.heard: list[VenueUpdate] = []

    @property
    @abstractmethod
    def book(self) -> Book: ...

    @abstractmethod
    def make(self, **kwargs: object) -> IBrokerage:
        """An adapter for the stub; ``kwargs`` put other credentials in place of the right ones."""

    @abstractmethod
    def trade(self, price: str, size: str | None = None) -> None:
        """Let the market trade in `SYMBOL`."""

    @abstractmethod
    def by_hand(self) -> str:
        """Place an order past the adapter, resting; its id in the book."""

    #: The faults after which a new order is at the venue and nobody was told.
    ways_to_lose_an_answer: ClassVar[tuple[str, ...]] = ("swallow", "error", "garbage")

    @abstractmethod
    def lose_answer(self, fault: str) -> None:
        """Let the venue take the next new order, and lose its answer in this way."""

    @abstractmethod
    def lose_event(self) -> None:
        """Lose the venue's next event."""

    has_no_clock: ClassVar[bool] = False

    def unsure(self) -> AbstractContextManager[object]:
        """What a new order whose answer is lost ends with; a venue that can be asked at once has found it."""
        return pytest.raises(Unknown)

    @property
    @abstractmethod
    def wrong(self) -> dict[str, object]:
        """Credentials that the venue does not take."""

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

    def kinds(self, of: OrderRecord, last: UpdateKind, filled: str = "0") -> list[UpdateKind]:
        """The kinds of updates of an order, up to this one and this quantity."""

        def complete(updates: list[OrderUpdate]) -> bool:
            return last in [one.kind for one in updates] and _filled(updates) >= Decimal(filled)

        return [one.kind for one in self.hear(complete, of)]


def _filled(updates: list[OrderUpdate]) -> Decimal:
    return sum((one.qty for one in updates if one.kind is UpdateKind.FILL), Decimal(0))


class BrokerageContract:
    """Inherit, and give a fixture ``venue`` whose adapter is connected and whose market stands at 100."""

    def test_a_market_order_is_accepted_and_filled_once(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        updates = venue.hear(lambda heard: _filled(heard) == 10, one)

        assert [update.kind for update in updates] == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert (updates[1].price, updates[1].qty) == (Decimal(100), Decimal(10))
        assert updates[1].execution_id and updates[0].venue_order_id

    def test_a_resting_order_is_filled_in_parts_that_add_up(self, venue: Venue):
        one = limit("99")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.ACCEPTED)
        venue.trade("99", "4")
        venue.hear(lambda heard: _filled(heard) == 4, one)
        venue.trade("98", "6")
        fills = [one for one in venue.hear(lambda heard: _filled(heard) == 10, one) if one.kind is UpdateKind.FILL]

        assert [(fill.qty, fill.price) for fill in fills] == [(4, 99), (6, 98)]
        assert len({fill.execution_id for fill in fills}) == 2

    def test_an_outsider_learns_what_the_account_holds_and_what_time_it_is_there(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        venue.hear(lambda heard: _filled(heard) == 10, one)
        outsider = venue.make()
        outsider.reach()
        try:
            account, clock = outsider.query_account(), outsider.query_clock()
            assert outsider.query_positions() == [VenuePosition(SYMBOL, Decimal(10))]
        finally:
            outsider.close()
        assert (account.cash, account.equity, account.blocked) == (venue.book.cash, venue.book.cash + 1000, "")
        assert clock is None if venue.has_no_clock else abs(clock.time - time.time_ns()) < 2_000_000_000

    def test_an_outsider_sees_what_is_open_withdraws_it_and_learns_what_became_of_each(self, venue: Venue):
        part, whole = limit("99"), order()
        for one in (part, whole):
            venue.adapter.submit_order(one)
        venue.hear(lambda heard: _filled(heard) == 10, whole)
        venue.kinds(part, UpdateKind.ACCEPTED)
        venue.trade("99", "4")
        venue.hear(lambda heard: _filled(heard) == 4, part)
        venue.adapter.close()
        outsider = venue.make()
        outsider.reach()
        try:
            [shown] = outsider.query_open_orders()
            assert (shown.client_order_id, shown.filled_qty) == (part.client_order_id, 4)
            outsider.withdraw(shown)
            eventually(lambda: not outsider.query_open_orders())
            outsider.withdraw(shown)
            became, done = outsider.query_order(part), outsider.query_order(whole)
            assert (became.state, became.filled_qty, became.avg_price) == (UpdateKind.CANCELLED, 4, 99)
            assert (done.filled_qty, done.is_over) == (10, True)
            assert outsider.query_order(limit("1")) is None
        finally:
            outsider.close()

    def test_a_cancel_is_confirmed_by_the_venue(self, venue: Venue):
        one = limit("90")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.ACCEPTED)
        venue.adapter.cancel_order(one)

        assert venue.kinds(one, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]
        assert not [held for held in venue.book.orders.values() if held.status in ("new", "partially_filled")]

    def test_a_cancel_that_comes_too_late_finds_the_fill(self, venue: Venue):
        one = limit("99")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.ACCEPTED)
        venue.trade("99")
        venue.adapter.cancel_order(one)

        assert UpdateKind.CANCELLED not in venue.kinds(one, UpdateKind.FILL, "10")

    def test_what_the_venue_refuses_is_final_and_says_why(self, venue: Venue):
        one = order(qty="100000")
        try:
            venue.adapter.submit_order(one)
        except Rejected as refusal:
            said = str(refusal)
        else:
            [said] = [update.reason for update in venue.hear(lambda heard: bool(heard), one)][:1]

        assert "insufficient buying power" in said

    def test_terms_that_the_venue_has_not_are_refused_before_anything_is_sent(self, venue: Venue):
        gtd = limit("90", time_in_force=TimeInForce.GTD, expires_at=1)
        with pytest.raises(Rejected, match="gtd"):
            venue.adapter.submit_order(gtd)

        assert not venue.book.orders

    def test_an_answer_that_is_lost_leaves_the_order_unknown_until_the_venue_shows_it(self, venue: Venue):
        for fault in venue.ways_to_lose_an_answer:
            venue.lose_answer(fault)
            one = order(qty="1")
            with venue.unsure():
                venue.adapter.submit_order(one)

            assert venue.kinds(one, UpdateKind.FILL, "1").count(UpdateKind.FILL) == 1
        assert len(venue.book.orders) == len(venue.ways_to_lose_an_answer)

    def test_a_lost_event_is_made_up_for(self, venue: Venue):
        one = limit("99")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.ACCEPTED)
        venue.lose_event()
        venue.trade("99")

        assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1

    def test_an_order_by_other_hands_comes_in_as_external(self, venue: Venue):
        venue.by_hand()
        venue.hear(lambda heard: bool(heard))
        [told] = [one for one in venue.heard if isinstance(one, ExternalOrder)]

        assert (told.terms.symbol, told.terms.side, told.terms.qty) == (SYMBOL, Side.BUY, Decimal(3))

    def test_all_orders_can_be_cancelled_at_once(self, venue: Venue):
        orders = [limit("90"), limit("91")]
        for one in orders:
            venue.adapter.submit_order(one)
            venue.kinds(one, UpdateKind.ACCEPTED)

        assert venue.adapter.cancel_all() == 2
        for one in orders:
            venue.kinds(one, UpdateKind.CANCELLED)

    def test_positions_and_account_are_the_venues(self, venue: Venue):
        one = order(Side.BUY, "10")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")
        [position] = venue.adapter.query_positions()
        account = venue.adapter.query_account()

        assert (position.symbol, position.qty) == (SYMBOL, Decimal(10))
        assert account.cash == venue.book.cash
        assert account.equity == venue.book.cash + 1000

    def test_a_short_position_is_negative(self, venue: Venue):
        one = order(Side.SELL, "10")
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")

        assert venue.adapter.query_positions()[0].qty == Decimal(-10)

    def test_an_order_that_may_not_leave_any_more_is_not_sent(self, venue: Venue):
        venue.adapter.may_leave = lambda order: False
        with pytest.raises(Transient, match="may not leave"):
            venue.adapter.submit_order(order())

        assert not venue.book.orders

    def test_updates_are_healthy_while_the_venue_shows_its_orders(self, venue: Venue):
        assert venue.adapter.updates_healthy

    def test_wrong_credentials_fail_at_once_and_say_what_to_set(self, venue: Venue):
        wrong = venue.make(**venue.wrong)
        with pytest.raises(Fatal, match="ALPHASWARM_"):
            wrong.connect()
        wrong.close()


class RestContract(BrokerageContract):
    """What is more to be said of venues that answer each request."""

    def test_a_venue_that_asks_for_patience_has_taken_nothing(self, venue: Venue):
        venue.lose_answer("refuse_throttle")
        with pytest.raises(Transient):
            venue.adapter.submit_order(order())

        assert not venue.book.orders
