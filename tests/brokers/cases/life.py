"""An order from its sending to its end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.contract_venue import Venue, filled, limit, order, stop
from trading.engine.errors import Rejected, Transient
from trading.engine.orders import Side, TimeInForce
from trading.engine.updates import UpdateKind


class LifeCases:
    def test_a_market_order_is_accepted_and_filled_once(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        updates = venue.hear(lambda heard: filled(heard) == 10, one)

        assert [update.kind for update in updates] == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert (updates[1].price, updates[1].qty) == (Decimal(100), Decimal(10))
        assert updates[1].execution_id and updates[0].venue_order_id

    def test_a_resting_order_is_filled_in_parts_that_add_up(self, venue: Venue):
        one = venue.rest(limit("99"))
        venue.trade("99", "4")
        venue.hear(lambda heard: filled(heard) == 4, one)
        venue.trade("98", "6")
        fills = [one for one in venue.hear(lambda heard: filled(heard) == 10, one) if one.kind is UpdateKind.FILL]

        assert [(fill.qty, fill.price) for fill in fills] == [(4, 99), (6, 98)]
        assert len({fill.execution_id for fill in fills}) == 2

    def test_a_stop_waits_for_its_price(self, venue: Venue):
        one = venue.rest(stop("95"))
        venue.trade("96")
        assert venue.working() == {one.client_order_id}
        venue.trade("94")

        assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]

    def test_a_short_position_is_negative(self, venue: Venue):
        one = order(Side.SELL)
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")

        assert venue.adapter.query_positions()[0].qty == Decimal(-10)

    def test_what_the_venue_refuses_is_final_and_says_why(self, venue: Venue):
        one = order(qty="100000")
        try:
            venue.adapter.submit_order(one)
        except Rejected as refusal:
            said = str(refusal)
        else:
            [said] = [update.reason for update in venue.hear(lambda heard: bool(heard), one)][:1]

        assert "insufficient buying power" in said
        assert not venue.working()

    def test_terms_that_the_venue_has_not_are_refused_before_anything_is_sent(self, venue: Venue):
        gtd = limit("90", time_in_force=TimeInForce.GTD, expires_at=1)
        with pytest.raises(Rejected, match="gtd"):
            venue.adapter.submit_order(gtd)

        assert not venue.placed()

    def test_an_order_that_may_not_leave_any_more_is_not_sent(self, venue: Venue):
        venue.adapter.may_leave = lambda order: False
        with pytest.raises(Transient, match="may not leave"):
            venue.adapter.submit_order(order())

        assert not venue.placed()

    def test_an_order_that_is_sent_twice_is_at_the_venue_once(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        try:
            venue.adapter.submit_order(one)
        except Rejected as refusal:
            assert one.client_order_id in str(refusal)

        assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert venue.placed() == 1
