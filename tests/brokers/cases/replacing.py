"""An order in the place of another."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from brokers.base import Recalled
from tests.brokers.contract_venue import Venue, booked, filled, limit
from trading.engine.errors import Rejected, Unknown
from trading.engine.orders import OrderRecord
from trading.engine.updates import UpdateKind


def instead_of(old: OrderRecord, price: str, qty: str = "10") -> OrderRecord:
    return limit(price, qty=qty, replaces=old.id)


class ReplacingCases:
    def test_a_replaced_order_is_told_as_such_and_its_successor_gets_the_fills(self, venue: Venue):
        old = venue.rest(limit("90"))
        new = instead_of(old, "95")
        venue.adapter.replace_order(old, new)
        assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]
        assert venue.kinds(new, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
        venue.trade("94")

        assert venue.kinds(new, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert not venue.working()

    def test_a_successor_is_cancelled_by_its_own_name(self, venue: Venue):
        old = venue.rest(limit("90"))
        new = instead_of(old, "91")
        venue.adapter.replace_order(old, new)
        venue.kinds(new, UpdateKind.ACCEPTED)
        venue.adapter.cancel_order(new)

        assert venue.kinds(new, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]
        assert not venue.working()

    def test_the_successor_of_an_order_that_is_filled_in_part_is_for_the_rest(self, venue: Venue):
        old = venue.rest(limit("99"))
        venue.trade("99", "4")
        venue.hear(lambda heard: filled(heard) == 4, old)
        old.filled_qty = Decimal(4)
        new = instead_of(old, "98", "6")
        venue.adapter.replace_order(old, new)
        venue.kinds(new, UpdateKind.ACCEPTED)
        venue.trade("97")
        venue.kinds(new, UpdateKind.FILL, "6")

        assert venue.adapter.query_positions()[0].qty == Decimal(10)
        assert filled(venue.hear(lambda heard: True, old)) == 4
        assert not venue.working()

    def test_a_replacement_that_comes_too_late_is_refused_and_the_fill_is_heard(self, venue: Venue):
        old = venue.rest(limit("99"))
        venue.trade("99")
        new = instead_of(old, "98")
        try:
            venue.adapter.replace_order(old, new)
        except Rejected:
            pass
        else:
            assert venue.kinds(new, UpdateKind.REJECTED) == [UpdateKind.REJECTED]

        assert venue.kinds(old, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert not venue.working()

    def test_a_lost_answer_to_a_replacement_is_settled_by_what_the_venue_shows(self, venue: Venue):
        for fault, price in zip(venue.ways_to_lose_an_answer, ("91", "92", "93"), strict=False):
            old = venue.rest(limit("90", qty="1"))
            new = instead_of(old, price, "1")
            venue.lose_answer(fault, "replace")
            with suppress(Unknown):
                venue.adapter.replace_order(old, new)

            assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]
            assert venue.kinds(new, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
        assert len(venue.working()) == len(venue.ways_to_lose_an_answer)

    def test_a_replacement_whose_process_was_lost_is_settled_for_the_next(self, venue: Venue):
        old = venue.rest(limit("90"))
        known = booked(old, venue.hear(lambda heard: True, old))
        new = instead_of(old, "91")
        venue.adapter.replace_order(old, new)
        venue.go_on(known, Recalled(new))

        assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.REPLACED]
        venue.kinds(new, UpdateKind.ACCEPTED)
        venue.trade("90.5")
        assert venue.kinds(new, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        assert not venue.working()

    def test_a_replacement_that_a_lost_process_never_sent_leaves_the_order_as_it_was(self, venue: Venue):
        old = venue.rest(limit("90"))
        known = booked(old, venue.hear(lambda heard: True, old))
        new = instead_of(old, "91")
        venue.go_on(known, Recalled(new))
        venue.trade("90")

        assert venue.kinds(old, UpdateKind.FILL, "10") == [UpdateKind.FILL]
        assert not [one for one in venue.hear(lambda heard: True, new) if one.kind is not UpdateKind.REJECTED]

    def test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was(self, venue: Venue):
        old = venue.rest(limit("90"))
        with pytest.raises(Rejected, match="cancel it and send another"):
            venue.adapter.replace_order(old, instead_of(old, "91"))

        assert venue.working() == {old.client_order_id}
