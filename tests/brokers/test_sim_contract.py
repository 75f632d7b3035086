"""The simulated venue passes the contract that the adapters of real venues pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from brokers.sim import SimulatedBrokerage
from tests.brokers.builders import MINUTE, OPENING
from tests.brokers.contract import SYMBOL, BrokerageContract, Venue
from trading.engine.bars import Bar
from trading.engine.orders import OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate

CASH = Decimal(100_000)


class OnTheClock(SimulatedBrokerage):
    """Orders are made at the close of the last bar, as an engine makes them, and what is told is kept."""

    def __init__(self) -> None:
        super().__init__(fill="same_close", slippage={"volume_share": 1})
        self.interval = MINUTE
        self.minute = 0
        self.told: list[VenueUpdate] = []

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        for one in (order, *linked):
            one.created_at = OPENING + self.minute * MINUTE
        super().submit_order(order, linked)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        by.created_at = OPENING + self.minute * MINUTE
        super().replace_order(order, by)

    def drain_updates(self) -> list[VenueUpdate]:
        updates = super().drain_updates()
        self.told += updates
        return updates

    def see(self, price: str, volume: float) -> None:
        self.minute += 1
        value = float(price)
        self.on_bar(Bar(SYMBOL, OPENING + self.minute * MINUTE, value, value, value, value, volume))


class Simulated(Venue):
    """Bars of one price are its market; their volume is what can be had."""

    adapter: OnTheClock

    def __init__(self) -> None:
        super().__init__()
        self.last = Decimal(100)

    def make(self, **kwargs: object) -> OnTheClock:
        return OnTheClock()

    def trade(self, price: str, size: str | None = None) -> None:
        self.last = Decimal(price)
        self.adapter.see(price, 1e9 if size is None else float(size))

    def _updates(self, kind: UpdateKind) -> list[OrderUpdate]:
        self.heard += self.adapter.drain_updates()
        return [one for one in self.adapter.told if isinstance(one, OrderUpdate) and one.kind is kind]

    def placed(self) -> int:
        return len(self._updates(UpdateKind.ACCEPTED))

    def working(self) -> set[str]:
        return {one.client_order_id for one in self.adapter.query_open_orders()}

    def money(self) -> tuple[Decimal, Decimal]:
        """By what was told of fills, all of them buys."""
        fills = self._updates(UpdateKind.FILL)
        cash = CASH - sum(fill.qty * fill.price for fill in fills)
        return cash, cash + sum(fill.qty for fill in fills) * self.last


@pytest.fixture
def venue() -> Iterator[Simulated]:
    venue = Simulated()
    venue.trade("100")
    venue.adapter.connect()
    yield venue
    venue.adapter.close()


_INSIDE = "it is in the process: no call, answer or event of it can be lost"
_OWN = "it is one run's own account and ends with it"
_OPEN = "it keeps what is open, and tells what ends when it ends"


class TestSimulated(BrokerageContract):
    not_applicable = {
        "test_a_position_is_told_with_what_a_unit_of_it_is_worth": _OWN,
        "test_what_the_venue_refuses_is_final_and_says_why": "what is too dear is denied before it",
        "test_terms_that_the_venue_has_not_are_refused_before_anything_is_sent": "it has all terms",
        "test_an_order_that_may_not_leave_any_more_is_not_sent": "no order waits on its way to it",
        "test_an_order_that_is_sent_twice_is_at_the_venue_once": "an engine makes each order once, and nothing resends",
        "test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was": "it replaces orders",
        "test_a_lost_answer_to_a_replacement_is_settled_by_what_the_venue_shows": _INSIDE,
        "test_a_replacement_whose_process_was_lost_is_settled_for_the_next": _OWN,
        "test_a_replacement_that_a_lost_process_never_sent_leaves_the_order_as_it_was": _OWN,
        "test_links_that_the_venue_has_not_are_refused_before_anything_is_sent": "it links any orders",
        "test_a_cancel_whose_answer_is_lost_is_told_when_the_venue_shows_it": _INSIDE,
        "test_one_cancel_that_fails_holds_no_other_back": _INSIDE,
        "test_a_cancel_waits_for_no_rate_limit": _INSIDE,
        "test_an_answer_that_is_lost_leaves_the_order_unknown_until_the_venue_shows_it": _INSIDE,
        "test_a_venue_that_asks_for_patience_has_taken_nothing_and_is_asked_once": _INSIDE,
        "test_the_rate_limit_is_kept_ahead_of_the_venues_refusal": _INSIDE,
        "test_a_broken_answer_is_an_error_or_is_not_believed": _INSIDE,
        "test_a_state_that_nobody_knows_leaves_the_order_unknown_until_it_has_a_known_one": _INSIDE,
        "test_an_order_with_terms_that_nobody_knows_is_followed": _INSIDE,
        "test_an_order_that_cannot_be_read_hides_no_other_and_holds_new_ones_back": _INSIDE,
        "test_wrong_credentials_fail_at_once_and_say_what_to_set": "it has none",
        "test_a_lost_event_is_made_up_for": _INSIDE,
        "test_repeated_and_reordered_events_are_told_once": _INSIDE,
        "test_what_happens_while_the_venue_is_not_heard_is_told_once_it_is": _INSIDE,
        "test_what_became_of_a_lost_process_orders_is_told_to_the_next": _OWN,
        "test_a_corrected_price_is_put_right_in_money": "what it has filled stays as it is",
        "test_updates_are_healthy_while_the_venue_shows_its_orders": _INSIDE,
        "test_an_order_by_other_hands_comes_in_as_external_and_so_do_its_fills": _OWN,
        "test_the_venues_clock_is_read": "its time is that of its bars",
        "test_an_order_is_found_by_our_id_while_it_is_open_and_when_it_is_over": _OPEN,
        "test_open_orders_are_those_that_may_still_trade_and_those_since_a_time_all": _OPEN,
        "test_fills_since_a_time_add_up_to_what_was_told": _OPEN,
        "test_an_outsider_learns_what_the_account_holds": _OWN,
        "test_an_outsider_sees_what_is_open_withdraws_it_and_learns_what_became_of_each": _OWN,
    }
