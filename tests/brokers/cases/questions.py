"""What can be asked of a venue, by the process that trades there and by another."""

from __future__ import annotations

import time
from decimal import Decimal

from brokers.base import IBrokerage, Recalled
from tests.brokers.contract_venue import SYMBOL, Venue, filled, limit, order
from tests.risk.waiting import eventually
from trading.engine.orders import OrderRecord, Side
from trading.engine.updates import UpdateKind

SECOND = 1_000_000_000


def never_sent(adapter: IBrokerage) -> OrderRecord:
    """An order that the run has decided on, and that has not arrived."""
    one = limit("1")
    # Surely after the midnight before, in New York too.
    adapter.recall([Recalled(one, decided_at=time.time_ns() + 120 * SECOND)])
    return one


class QuestionCases:
    def test_positions_and_account_are_the_venues(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")
        account = venue.adapter.query_account()

        [position] = venue.adapter.query_positions()
        assert (position.symbol, position.qty) == (SYMBOL, Decimal(10))
        assert (account.cash, account.equity) == venue.money()
        assert not account.blocked

    def test_the_venues_clock_is_read(self, venue: Venue):
        clock = venue.adapter.query_clock()

        assert clock is not None and abs(clock.time - time.time_ns()) < 2 * SECOND

    def test_an_order_is_found_by_our_id_while_it_is_open_and_when_it_is_over(self, venue: Venue):
        one = venue.rest(limit("99"))
        shown = venue.adapter.query_order(one)
        assert shown is not None
        assert (shown.terms.symbol, shown.terms.side, shown.terms.qty) == (SYMBOL, Side.BUY, 10)
        assert (shown.terms.limit_price, shown.filled_qty, shown.is_over) == (99, 0, False)
        venue.trade("99")
        venue.kinds(one, UpdateKind.FILL, "10")
        shown = venue.adapter.query_order(one)

        assert shown is not None and (shown.filled_qty, shown.avg_price, shown.is_over) == (10, 99, True)
        assert venue.adapter.query_order(never_sent(venue.adapter)) is None

    def test_open_orders_are_those_that_may_still_trade_and_those_since_a_time_all(self, venue: Venue):
        since = time.time_ns() - SECOND
        resting, done = venue.rest(limit("90")), order()
        venue.adapter.submit_order(done)
        venue.kinds(done, UpdateKind.FILL, "10")

        assert [one.client_order_id for one in venue.adapter.query_open_orders()] == [resting.client_order_id]
        shown = {one.client_order_id for one in venue.adapter.query_orders(since)}
        assert shown == {resting.client_order_id, done.client_order_id}
        assert venue.adapter.query_orders(time.time_ns() + 60 * SECOND) == []

    def test_fills_since_a_time_add_up_to_what_was_told(self, venue: Venue):
        since = time.time_ns() - SECOND
        one = venue.rest(limit("99"))
        venue.trade("99", "4")
        venue.hear(lambda heard: filled(heard) == 4, one)
        venue.trade("98", "6")
        told = [update for update in venue.hear(lambda heard: filled(heard) == 10, one) if update.qty]
        fills = venue.adapter.query_fills(since)

        assert {(fill.symbol, fill.side) for fill in fills} == {(SYMBOL, Side.BUY)}
        assert {fill.venue_order_id for fill in fills} == {update.venue_order_id for update in told}
        assert sum(fill.qty for fill in fills) == 10
        assert sum(fill.qty * fill.price for fill in fills) == sum(update.qty * update.price for update in told)
        assert venue.adapter.query_fills(time.time_ns() + 60 * SECOND) == []

    def test_an_outsider_learns_what_the_account_holds(self, venue: Venue):
        one = order()
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")
        outsider = venue.make()
        outsider.reach()
        try:
            account = outsider.query_account()
            assert outsider.query_positions() == venue.adapter.query_positions()
        finally:
            outsider.close()
        assert (account.cash, account.equity) == venue.money()

    def test_an_outsider_sees_what_is_open_withdraws_it_and_learns_what_became_of_each(self, venue: Venue):
        part, whole = limit("99"), order()
        for one in (part, whole):
            venue.adapter.submit_order(one)
        venue.hear(lambda heard: filled(heard) == 10, whole)
        venue.kinds(part, UpdateKind.ACCEPTED)
        venue.trade("99", "4")
        venue.hear(lambda heard: filled(heard) == 4, part)
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
            assert outsider.query_order(never_sent(outsider)) is None
        finally:
            outsider.close()

    def test_a_position_is_told_with_what_a_unit_of_it_is_worth(self, venue: Venue):
        one = order(side=Side.SELL)
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "10")
        [position] = venue.adapter.query_positions()
        assert (position.qty, position.unit_value) == (Decimal(-10), Decimal(100))
