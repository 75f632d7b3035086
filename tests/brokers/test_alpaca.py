from __future__ import annotations

import time
from decimal import Decimal

import msgspec
import pytest

from brokers.alpaca import pages
from brokers.alpaca.adapter import CALLS_PER_MINUTE
from brokers.base import Recalled
from brokers.pacing import RateLimit
from tests.brokers.contract import BrokerageContract, limit, order, stop
from tests.brokers.places import Alpaca
from tests.risk.waiting import eventually
from tests.venues.book import Terms
from trading.engine.errors import Rejected, Transient, Unknown
from trading.engine.orders import Side, TimeInForce
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind


@pytest.fixture
def venue(alpaca: Alpaca) -> Alpaca:
    return alpaca


class TestAlpaca(BrokerageContract):
    not_applicable = {
        "test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was": "it replaces orders",
        "test_one_cancel_that_fails_holds_no_other_back": "one call cancels all",
        "test_the_successor_of_an_order_that_is_filled_in_part_is_for_the_rest": (
            "it is refused, since how much the successor would be for is not sure"
        ),
    }


def bracket():
    entry = limit("99", qty="10", time_in_force=TimeInForce.GTC)
    exits = {"parent_id": entry.id, "reduce_only": True, "time_in_force": TimeInForce.GTC}
    return entry, limit("110", Side.SELL, **exits), stop("90", **exits)


def test_a_bracket_is_held_by_the_venue_and_its_legs_keep_our_names(venue):
    entry, target, stop = bracket()
    venue.adapter.submit_order(entry, (target, stop))
    venue.trade("99")
    venue.trade("110")

    assert venue.kinds(target, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert venue.kinds(stop, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED


def test_legs_are_told_of_before_their_answer_and_by_our_names(venue):
    venue.stub.faults.plan("delay", where="POST /v2/orders", seconds=0.5)
    entry, target, stop = bracket()
    venue.adapter.submit_order(entry, (target, stop))

    for leg in (target, stop):
        assert venue.kinds(leg, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
    assert not [told for told in venue.heard if isinstance(told, ExternalOrder)]


def test_legs_of_a_lost_process_are_known_by_the_next(venue):
    entry, target, stop = bracket()
    venue.adapter.submit_order(entry, (target, stop))
    venue.go_on(Recalled(entry), Recalled(target), Recalled(stop))

    for leg in (target, stop):
        assert venue.kinds(leg, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
    assert not [told for told in venue.heard if isinstance(told, ExternalOrder)]


@pytest.mark.parametrize("price", ["100", "99"], ids=["its entry waits", "its entry is filled"])
def test_a_leg_whose_name_at_the_venue_was_lost_is_found_below_its_entry_and_can_be_cancelled(venue, price):
    legs = bracket()
    venue.adapter.submit_order(legs[0], legs[1:])
    venue.trade(price)
    venue.go_on()

    for leg in legs[1:]:
        shown = venue.adapter.query_order(leg)
        assert (shown.terms.type, shown.state) == (leg.type, UpdateKind.ACCEPTED)
        venue.adapter.cancel_order(leg)
        assert venue.adapter.query_order(leg).state is UpdateKind.CANCELLED


def test_of_two_alternatives_the_second_is_found_below_the_first(venue):
    first = limit("110", Side.SELL, group="g")
    first.group = first.id
    second = stop("90", group=first.id)
    venue.adapter.submit_order(first, (second,))
    venue.go_on()

    assert [venue.adapter.query_order(one).terms.type for one in (first, second)] == [first.type, second.type]


def test_a_leg_has_not_arrived_where_its_entry_has_not_and_is_in_doubt_where_the_entry_stands_alone(venue):
    entry, target, _ = bracket()
    assert venue.adapter.query_order(target) is None
    venue.rest(entry)
    with pytest.raises(Transient, match=f"without its leg {target.id}"):
        venue.adapter.query_order(target)


@pytest.mark.parametrize(
    "terms", [{"side": Side.BUY}, {"qty": Decimal(20)}, {"symbol": "MSFT"}], ids=["same side", "more", "another symbol"]
)
def test_a_leg_that_the_venue_would_make_something_else_of_is_refused(venue, terms):
    entry, target, stop = bracket()
    with pytest.raises(Rejected, match="one symbol and quantity"):
        venue.adapter.submit_order(entry, (target, msgspec.structs.replace(stop, **terms)))
    assert not venue.book.orders


def test_a_replaced_order_is_told_as_such_and_its_successor_as_accepted(venue):
    old, new = limit("90"), limit("91")
    venue.adapter.submit_order(old)
    venue.adapter.replace_order(old, new)

    assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]
    assert venue.kinds(new, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]


def test_a_venue_that_fails_once_it_has_replaced_an_order_leaves_its_successor_in_place(venue):
    def then_fail(body):
        venue.stub.faults.plan("refuse_error", times=1_000, where="GET /v2/orders/")
        return body

    old, new = venue.rest(limit("90")), limit("91")
    venue.bend("replace", then_fail)
    venue.adapter.replace_order(old, new)
    venue.mend()

    assert venue.kinds(new, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
    assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]


def test_an_order_that_is_filled_in_part_is_not_replaced_and_stays_as_it_was(venue):
    old, new = limit("99"), limit("98")
    venue.adapter.submit_order(old)
    venue.trade("99", "4")
    with pytest.raises(Rejected, match="filled in part"):
        venue.adapter.replace_order(old, new)
    assert [one.status for one in venue.book.orders.values()] == ["partially_filled"]


def test_an_order_that_the_venue_has_already_is_adopted(venue):
    one = order()
    venue.adapter.submit_order(one)
    venue.adapter.submit_order(one)

    assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert len(venue.book.orders) == 1


def test_an_order_that_the_venue_has_already_and_does_not_show_is_unknown(venue):
    one, other = venue.rest(limit("90")), venue.rest(limit("91"))
    venue.stub.faults.plan("refuse_error", times=1_000, where="GET /v2/orders:by_client_order_id")
    with pytest.raises(Unknown, match="unique"):
        venue.adapter.submit_order(one)
    with pytest.raises(Unknown, match="unique"):
        venue.adapter.replace_order(other, one)
    assert venue.working() == {one.client_order_id, other.client_order_id}


def test_the_cancel_of_an_order_whose_answer_was_lost_does_not_wait_for_the_rate_limit(venue):
    one = limit("90", qty="2")
    venue.stub.call(
        venue.stub.book.submit,
        Terms(one.symbol, "buy", one.qty, "limit", "day", one.client_order_id, limit_price=one.limit_price),
    )
    for _ in range(CALLS_PER_MINUTE):
        venue.adapter._rest._limit.count()
    began = time.monotonic()
    venue.adapter.cancel_order(one)
    assert time.monotonic() - began < 5
    assert [order.status for order in venue.stub.book.orders.values()] == ["canceled"]


def test_a_trade_that_is_taken_back_is_no_money_and_shows_in_the_positions(venue, caplog):
    one = order()
    venue.adapter.submit_order(one)
    venue.kinds(one, UpdateKind.FILL, "10")
    [held] = venue.book.orders.values()
    venue.stub.call(venue.book.correct, held.id, Decimal(6), Decimal(100))
    eventually(lambda: "takes back what it filled" in caplog.text)

    assert venue.adapter.query_positions()[0].qty == 6
    assert {type(told) for told in venue.heard + venue.adapter.drain_updates()} == {OrderUpdate}


def test_no_update_is_taken_for_healthy_while_the_events_are_down_and_what_was_missed_is_told(venue):
    one = limit("99")
    venue.adapter.submit_order(one)
    venue.stub.call(venue.stub.drop_streams)
    venue.hear(lambda heard: not venue.adapter.updates_healthy)
    venue.trade("99")

    assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1
    venue.hear(lambda heard: venue.adapter.updates_healthy)


@pytest.mark.parametrize("fault", ["duplicate_event", "reorder_events"])
def test_repeated_and_reordered_events_are_told_once(venue, fault):
    venue.stub.faults.plan(fault)
    one = order()
    venue.adapter.submit_order(one)
    other = order()
    venue.adapter.submit_order(other)

    for each in (one, other):
        assert venue.kinds(each, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]


def test_lists_are_read_to_their_last_page(venue, monkeypatch):
    monkeypatch.setattr(pages, "MOST_ORDERS", 2)
    monkeypatch.setattr(pages, "MOST_FILLS", 2)
    since = time.time_ns() - 1_000_000_000
    orders = [order(qty="1") for _ in range(5)]
    for one in orders:
        venue.adapter.submit_order(one)
        venue.kinds(one, UpdateKind.FILL, "1")
    names = [one.client_order_id for one in orders]
    assert [shown.client_order_id for shown in venue.adapter.query_orders(since)] == names
    fills = venue.adapter.query_fills(since)
    assert len({fill.execution_id for fill in fills}) == len(fills) == 5
    told = {update.execution_id for update in venue.heard if getattr(update, "kind", "") is UpdateKind.FILL}
    assert {fill.execution_id for fill in fills} == told


def test_calls_wait_once_the_venue_says_that_the_account_has_none_left(venue):
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    venue.pace(RateLimit(10_000, 60.0, clock=lambda: now[0], sleep=sleep))
    venue.stub.limits = {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": str(int(time.time()) + 30)}
    venue.adapter.query_clock()
    venue.stub.limits = {}
    venue.adapter.query_clock()

    assert 0 < now[0] <= 60
