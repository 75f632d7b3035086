"""Cancels, and what they may cross."""

from __future__ import annotations

import threading
from contextlib import suppress

from brokers.pacing import RateLimit
from tests.brokers.contract_venue import StubVenue, Venue, filled, limit
from tests.risk.waiting import eventually
from trading.engine.errors import VenueError
from trading.engine.updates import UpdateKind


class CancellingCases:
    def test_a_cancel_is_confirmed_by_the_venue(self, venue: Venue):
        one = venue.rest(limit("90"))
        venue.adapter.cancel_order(one)

        assert venue.kinds(one, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]
        assert not venue.working()

    def test_a_cancel_after_a_part_keeps_what_was_filled(self, venue: Venue):
        one = venue.rest(limit("99"))
        venue.trade("99", "4")
        venue.adapter.cancel_order(one)
        venue.kinds(one, UpdateKind.CANCELLED)

        assert filled(venue.hear(lambda heard: filled(heard) > 0, one)) == 4
        assert venue.adapter.query_positions()[0].qty == 4

    def test_a_cancel_that_comes_too_late_finds_the_fill(self, venue: Venue):
        one = venue.rest(limit("99"))
        venue.trade("99")
        venue.adapter.cancel_order(one)

        assert UpdateKind.CANCELLED not in venue.kinds(one, UpdateKind.FILL, "10")

    def test_a_cancel_that_is_asked_for_twice_is_told_once(self, venue: Venue):
        one = venue.rest(limit("90"))
        for _ in range(2):
            venue.adapter.cancel_order(one)
        venue.kinds(one, UpdateKind.CANCELLED)
        other = venue.rest(limit("91"))

        told = [update.kind for update in venue.hear(lambda heard: True, one)]
        assert told[:2] == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]
        assert told.count(UpdateKind.CANCELLED) == 1
        assert venue.working() == {other.client_order_id}

    def test_a_cancel_of_an_order_that_never_arrived_reaches_no_other(self, venue: Venue):
        there, never = venue.rest(limit("90")), limit("91")
        with suppress(VenueError):
            venue.adapter.cancel_order(never)

        assert venue.working() == {there.client_order_id}

    def test_a_cancel_whose_answer_is_lost_is_told_when_the_venue_shows_it(self, venue: Venue):
        for fault in venue.ways_to_lose_an_answer:
            one = venue.rest(limit("90"))
            venue.lose_answer(fault, "cancel")
            with suppress(VenueError):
                venue.adapter.cancel_order(one)

            assert venue.kinds(one, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]

    def test_all_orders_can_be_cancelled_at_once(self, venue: Venue):
        orders = [venue.rest(limit(price)) for price in ("90", "91")]

        assert venue.adapter.cancel_all() == 2
        for one in orders:
            venue.kinds(one, UpdateKind.CANCELLED)

    def test_one_cancel_that_fails_holds_no_other_back(self, venue: Venue):
        for price in ("90", "91", "92"):
            venue.rest(limit(price))
        venue.lose_answer("refuse_error", "cancel")
        with suppress(VenueError):
            venue.adapter.cancel_all()

        eventually(lambda: len(venue.working()) == 1)

    def test_a_cancel_waits_for_no_rate_limit(self, venue: StubVenue):
        one = venue.rest(limit("90"))
        over, now = threading.Event(), [0.0]

        def sleep(seconds: float) -> None:
            over.wait(20)
            now[0] += seconds

        used_up = RateLimit(1, 3600.0, clock=lambda: now[0], sleep=sleep)
        used_up.count()
        venue.pace(used_up)
        try:
            venue.adapter.cancel_order(one)
            eventually(lambda: not venue.working())
        finally:
            venue.pace(RateLimit(10_000, 1.0))
            over.set()
