"""What the venue tells by itself: lost, repeated, out of order, late."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from brokers.base import Recalled
from tests.brokers.contract_venue import SYMBOL, Venue, booked, filled, limit, order
from tests.risk.waiting import eventually
from trading.engine.orders import Side
from trading.engine.updates import CashUpdate, ExternalOrder, UpdateKind


class EventCases:
    def test_a_lost_event_is_made_up_for(self, venue: Venue):
        one = venue.rest(limit("99"))
        venue.spoil_events("lose_event")
        venue.trade("99")

        assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1

    @pytest.mark.parametrize("fault", ["duplicate_event", "reorder_events"])
    def test_repeated_and_reordered_events_are_told_once(self, venue: Venue, fault: str):
        venue.spoil_events(fault)
        orders = [order(qty="1"), order(qty="2")]
        for one in orders:
            venue.adapter.submit_order(one)

        for one in orders:
            assert venue.kinds(one, UpdateKind.FILL, str(one.qty)) == [UpdateKind.ACCEPTED, UpdateKind.FILL]

    def test_what_happens_while_the_venue_is_not_heard_is_told_once_it_is(self, venue: Venue):
        one = venue.rest(limit("99"))
        came_up = venue.adapter.connections
        with venue.interrupt():
            eventually(lambda: not venue.adapter.updates_healthy)
            venue.trade("99")
        eventually(lambda: venue.adapter.updates_healthy)

        assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        eventually(lambda: venue.adapter.connections == came_up + 1)

    def test_what_became_of_a_lost_process_orders_is_told_to_the_next(self, venue: Venue):
        part, gone, lost = (venue.rest(limit(price)) for price in ("99", "98", "97"))
        known = [booked(one, venue.hear(lambda heard: True, one)) for one in (part, gone)]
        venue.trade("99", "4")
        venue.adapter.cancel_order(gone)
        eventually(lambda: venue.working() == {part.client_order_id, lost.client_order_id})
        venue.go_on(*known, Recalled(lost))

        assert venue.kinds(part, UpdateKind.FILL, "4") == [UpdateKind.FILL]
        assert venue.kinds(gone, UpdateKind.CANCELLED) == [UpdateKind.CANCELLED]
        assert venue.kinds(lost, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
        venue.trade("97")
        assert venue.kinds(part, UpdateKind.FILL, "10") == [UpdateKind.FILL, UpdateKind.FILL]
        assert not [one for one in venue.heard if isinstance(one, ExternalOrder)]

    @pytest.mark.parametrize(("side", "amount"), [(Side.BUY, "5"), (Side.SELL, "-5")])
    def test_a_corrected_price_is_put_right_in_money(self, venue: Venue, side: Side, amount: str):
        one = order(side)
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")
        venue.correct(one, "99.5")
        venue.hear(lambda _: any(isinstance(told, CashUpdate) for told in venue.heard))
        time.sleep(0.3)
        venue.heard += venue.adapter.drain_updates()

        told = [one for one in venue.heard if isinstance(one, CashUpdate)]
        assert [(one.code, one.amount) for one in told] == [("correction", Decimal(amount))]
        assert filled(venue.hear(lambda heard: True, one)) == 10

    def test_updates_are_healthy_while_the_venue_shows_its_orders(self, venue: Venue):
        assert venue.adapter.updates_healthy
        assert venue.adapter.connections == 1

    def test_an_order_by_other_hands_comes_in_as_external_and_so_do_its_fills(self, venue: Venue):
        venue.by_hand()
        venue.hear(lambda heard: bool(heard))
        [told] = [one for one in venue.heard if isinstance(one, ExternalOrder)]
        venue.trade("90")

        assert (told.terms.symbol, told.terms.side, told.terms.qty) == (SYMBOL, Side.BUY, Decimal(3))
        updates = venue.hear(lambda heard: filled(heard) == 3)
        assert {update.client_order_id for update in updates} == {told.client_order_id}
