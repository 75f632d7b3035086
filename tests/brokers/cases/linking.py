"""Orders that depend on each other, kept together by the venue."""

from __future__ import annotations

import pytest

from tests.brokers.contract_venue import Venue, limit, stop
from trading.engine.errors import Rejected
from trading.engine.orders import OrderRecord, Side, TimeInForce
from trading.engine.updates import UpdateKind


def bracket() -> tuple[OrderRecord, OrderRecord, OrderRecord]:
    entry = limit("99", time_in_force=TimeInForce.GTC)
    exits = {"parent_id": entry.id, "group": "exits", "reduce_only": True, "time_in_force": TimeInForce.GTC}
    return entry, limit("110", Side.SELL, **exits), stop("90", **exits)


class LinkingCases:
    def test_the_exits_of_a_bracket_wait_for_its_entry_and_one_cancels_the_other(self, venue: Venue):
        entry, target, loss = bracket()
        venue.adapter.submit_order(entry, (target, loss))
        venue.kinds(entry, UpdateKind.ACCEPTED)
        assert len(venue.working()) == 3
        venue.trade("99")
        venue.kinds(entry, UpdateKind.FILL, "10")
        venue.trade("111")

        assert venue.kinds(target, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert venue.kinds(loss, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED
        assert not venue.working() and not venue.adapter.query_positions()

    def test_the_exits_of_an_entry_that_is_cancelled_go_with_it(self, venue: Venue):
        entry, target, loss = bracket()
        venue.adapter.submit_order(entry, (target, loss))
        venue.kinds(entry, UpdateKind.ACCEPTED)
        venue.adapter.cancel_order(entry)

        for one in (entry, target, loss):
            assert venue.kinds(one, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED
        assert not venue.working()

    def test_of_two_alternatives_one_is_filled_and_the_other_cancelled(self, venue: Venue):
        first = limit("110", Side.SELL, group="g")
        second = stop("90", group="g")
        venue.adapter.submit_order(first, (second,))
        venue.kinds(first, UpdateKind.ACCEPTED)
        venue.kinds(second, UpdateKind.ACCEPTED)
        venue.trade("89")

        assert venue.kinds(second, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert venue.kinds(first, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]

    def test_an_order_that_another_one_triggers_waits_for_it(self, venue: Venue):
        first, second, _ = bracket()
        venue.adapter.submit_order(first, (second,))
        venue.kinds(first, UpdateKind.ACCEPTED)
        venue.trade("99")
        venue.kinds(first, UpdateKind.FILL, "10")
        venue.trade("111")

        assert venue.kinds(second, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]

    def test_links_that_the_venue_has_not_are_refused_before_anything_is_sent(self, venue: Venue):
        entry, target, loss = bracket()
        third = limit("120", Side.SELL, parent_id=entry.id, group="exits", reduce_only=True)
        with pytest.raises(Rejected, match="link"):
            venue.adapter.submit_order(entry, (target, loss, third))

        assert not venue.placed()
