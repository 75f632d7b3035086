from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.base import OutOfReach
from brokers.ibkr import line, orders, wire
from tests.brokers.contract import BrokerageContract, limit, order
from tests.brokers.places import Ibkr
from tests.risk.waiting import eventually
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, Withheld
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce
from trading.engine.updates import UpdateKind


@pytest.fixture
def venue(ibkr: Ibkr) -> Ibkr:
    return ibkr


_OWN = "it tells executions of one's own client id alone; an order of other hands is told until it is open no more"
_PACED = "the client library keeps to 45 messages a second by itself"
_DECODED = "the client library reads the gateway's messages, by their place and not by name"


class TestIbkr(BrokerageContract):
    not_applicable = {
        "test_a_venue_that_replaces_no_order_says_so_and_leaves_it_as_it_was": "it changes orders in place",
        "test_an_order_by_other_hands_comes_in_as_external_and_so_do_its_fills": _OWN,
        "test_one_cancel_that_fails_holds_no_other_back": "one message cancels all",
        "test_links_that_the_venue_has_not_are_refused_before_anything_is_sent": "it links any orders",
        "test_a_venue_that_asks_for_patience_has_taken_nothing_and_is_asked_once": _PACED,
        "test_the_rate_limit_is_kept_ahead_of_the_venues_refusal": _PACED,
        "test_a_cancel_waits_for_no_rate_limit": _PACED,
        "test_a_broken_answer_is_an_error_or_is_not_believed": _DECODED,
        "test_a_state_that_nobody_knows_leaves_the_order_unknown_until_it_has_a_known_one": _DECODED,
        "test_an_order_with_terms_that_nobody_knows_is_followed": _DECODED,
        "test_an_order_that_cannot_be_read_hides_no_other_and_holds_new_ones_back": _DECODED,
    }


def test_an_order_that_the_gateway_never_mentions_is_unknown(venue):
    venue.stub.faults.plan("swallow", where="place")
    with pytest.raises(Unknown):
        venue.adapter.submit_order(order())


def test_a_commission_is_the_fee_of_its_fill(venue):
    one = order()
    venue.adapter.submit_order(one)
    [fill] = [update for update in venue.hear(lambda heard: len(heard) == 2, one) if update.kind is UpdateKind.FILL]

    assert fill.fee == Decimal(1)


def test_a_bracket_is_held_by_the_venue(venue):
    entry = limit("99", time_in_force=TimeInForce.GTC)
    target = limit("110", Side.SELL, parent_id=entry.id, group="exits", reduce_only=True)
    stop = order(
        Side.SELL, type=OrderType.STOP, stop_price=Decimal(90), parent_id=entry.id, group="exits", reduce_only=True
    )
    venue.adapter.submit_order(entry, (target, stop))
    venue.trade("99")
    venue.trade("110")

    assert venue.kinds(target, UpdateKind.FILL, "10")[-1] is UpdateKind.FILL
    assert venue.kinds(stop, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED


def test_a_symbol_that_the_venue_does_not_know_is_refused(venue):
    with pytest.raises(Rejected, match="does not know"):
        venue.adapter.submit_order(order(symbol="NOSUCH"))


def test_a_cancel_that_the_venue_does_not_take_leaves_the_order_working(venue):
    one = limit("90")
    venue.adapter.submit_order(one)
    venue.stub.faults.plan("refuse_error", where="cancel")
    venue.adapter.cancel_order(one)

    assert venue.kinds(one, UpdateKind.CANCEL_REFUSED) == [UpdateKind.ACCEPTED, UpdateKind.CANCEL_REFUSED]
    assert [held.status for held in venue.book.orders.values()] == ["new"]


def test_an_order_is_asked_about_once_it_would_leave_at_once_and_not_before(venue):
    """The client library keeps what is above its rate, and sends it later."""
    venue.rest(limit("91"))
    thread = venue.adapter._require()
    client, asked, begin = thread.ib.client, [], thread.loop.time()

    def may_leave(one: OrderRecord) -> bool:
        asked.append(thread.loop.time())
        return False

    venue.adapter.may_leave = may_leave
    thread.soon(client._timeQ.extend, [begin] * client.MaxRequests)
    with pytest.raises(Withheld):
        venue.adapter.submit_order(limit("90"))

    assert asked[0] >= begin + client.RequestsInterval
    assert venue.placed() == 1


def test_an_order_that_waited_for_too_long_is_unknown_and_does_not_leave_later(venue, monkeypatch):
    venue.rest(limit("91"))
    thread = venue.adapter._require()
    sent = thread.ib.client._timeQ
    monkeypatch.setattr(orders, "ACKNOWLEDGE_SECONDS", 0.1)
    thread.soon(sent.extend, [thread.loop.time() + 60] * thread.ib.client.MaxRequests)
    with pytest.raises(Unknown):
        venue.adapter.submit_order(limit("90"))
    thread.soon(sent.clear)
    monkeypatch.setattr(orders, "ACKNOWLEDGE_SECONDS", 1.0)
    venue.rest(limit("89"))

    assert [order.terms.limit_price for order in venue.book.orders.values()] == [91, 89]


def test_a_lost_connection_is_made_again_and_what_was_missed_is_told(venue):
    one = limit("99")
    venue.adapter.submit_order(one)
    venue.stub.call(lambda: [client.drop() for client in list(venue.stub.clients)])
    venue.hear(lambda heard: not venue.adapter.updates_healthy)
    venue.trade("99")

    assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1
    assert venue.adapter.updates_healthy


def test_orders_wait_while_the_gateway_has_lost_the_venue(venue):
    venue.stub.call(venue.stub.error, 1100, "Connectivity between IB and TWS has been lost.")
    venue.hear(lambda heard: not venue.adapter.updates_healthy)
    venue.stub.call(venue.stub.error, 1102, "Connectivity restored - data maintained.")
    venue.hear(lambda heard: venue.adapter.updates_healthy)

    assert venue.adapter.updates_healthy


def test_a_gateway_that_hangs_and_stays_connected_is_not_heard(venue, monkeypatch):
    one = venue.rest(limit("99"))
    times = venue.adapter.connections
    with monkeypatch.context() as patch:
        patch.setattr(line, "STALE_SECONDS", 0.5)
        patch.setattr(wire, "CALL_SECONDS", 0.5)
        venue.stub.faults.plan("swallow", times=1_000_000, where="open orders")
        venue.hear(lambda heard: not venue.adapter.updates_healthy)
        venue.stub.faults.plan("lose_event")
        venue.trade("99")
        venue.mend()
        venue.hear(lambda heard: venue.adapter.connections > times)

    assert venue.kinds(one, UpdateKind.FILL, "10").count(UpdateKind.FILL) == 1


def test_a_paper_account_is_no_live_one(venue):
    live = venue.make(client_id=7, paper=False)
    with pytest.raises(Fatal, match="is a paper account"):
        live.connect()
    live.close()


def test_an_outsider_whose_client_id_is_taken_can_look_and_withdraw_all_but_not_one(venue):
    one = limit("90")
    venue.adapter.submit_order(one)
    outsider = venue.make()
    outsider.reach()
    try:
        [shown] = outsider.query_open_orders()
        with pytest.raises(OutOfReach, match="belongs to client 1"):
            outsider.withdraw(shown)
        assert outsider.cancel_all() == 1
        eventually(lambda: not outsider.query_open_orders())
        with pytest.raises(Transient, match="to the client alone that sent it"):
            outsider.query_order(one)
    finally:
        outsider.close()
