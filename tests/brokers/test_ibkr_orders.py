"""What Interactive Brokers' orders can come to that no other venue's can."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from brokers.base import Recalled
from brokers.ibkr.days import began
from tests.brokers.contract import SYMBOL, limit, order
from tests.brokers.contract_venue import booked
from tests.brokers.places import Ibkr
from tests.risk.waiting import eventually
from tests.venues import tws_messages
from trading.engine.errors import Rejected, Transient
from trading.engine.orders import OrderRecord
from trading.engine.updates import CashUpdate, OrderUpdate, UpdateKind

DAY = 86_400 * 10**9


@pytest.fixture
def venue(ibkr: Ibkr) -> Ibkr:
    return ibkr


def instead_of(old: OrderRecord, price: str, qty: str = "10") -> OrderRecord:
    return limit(price, qty=qty, replaces=old.id)


def surely_today() -> int:
    """A time to have decided on an order at that is after the last midnight anywhere."""
    return time.time_ns() + 120 * 10**9


def traded(updates: list[OrderUpdate]) -> Decimal:
    return sum((one.qty for one in updates if one.kind is UpdateKind.FILL), Decimal(0))


def test_a_change_that_the_venue_refuses_leaves_the_order_working(venue: Ibkr):
    old = venue.rest(limit("90"))
    venue.stub.faults.plan("refuse_error", where="place")
    new = instead_of(old, "95")
    with pytest.raises(Rejected, match="the venue does not take it"):
        venue.adapter.replace_order(old, new)
    venue.trade("94")
    venue.trade("90")

    assert venue.kinds(old, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert [one.kind for one in venue.hear(lambda heard: True, new)] == [UpdateKind.REJECTED]


def test_what_is_filled_while_a_change_is_under_way_is_the_successors_where_it_is_made(venue: Ibkr):
    old = venue.rest(limit("99"))
    venue.stub.meanwhile = lambda: venue.book.trade(SYMBOL, Decimal(99), Decimal(4))
    new = instead_of(old, "98")
    venue.adapter.replace_order(old, new)
    venue.kinds(new, UpdateKind.FILL, "4")
    venue.trade("98")

    assert traded(venue.hear(lambda heard: traded(heard) == 10, new)) == 10
    assert traded(venue.hear(lambda heard: True, old)) == 0
    assert venue.adapter.query_positions()[0].qty == 10


def test_and_the_old_orders_where_it_is_refused(venue: Ibkr):
    old = venue.rest(limit("99"))
    venue.stub.meanwhile = lambda: venue.book.trade(SYMBOL, Decimal(99), Decimal(4))
    venue.stub.faults.plan("refuse_error", where="place")
    new = instead_of(old, "98")
    with pytest.raises(Rejected):
        venue.adapter.replace_order(old, new)

    assert traded(venue.hear(lambda heard: traded(heard) == 4, old)) == 4
    assert traded(venue.hear(lambda heard: True, new)) == 0


def test_a_changed_order_is_changed_again_and_found_by_its_last_name(venue: Ibkr):
    first = venue.rest(limit("90"))
    second, third = instead_of(first, "91", "12"), limit("92", qty="7")
    third.replaces = second.id
    venue.adapter.replace_order(first, second)
    venue.adapter.replace_order(second, third)

    assert venue.kinds(second, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.REPLACED]
    [held] = venue.book.orders.values()
    assert (held.terms.limit_price, held.terms.qty) == (92, 7)
    shown = venue.adapter.query_order(third)
    assert shown is not None and (shown.client_order_id, shown.terms.qty) == (third.client_order_id, 7)
    venue.adapter.recall([Recalled(first, decided_at=surely_today())])
    assert venue.adapter.query_order(first) is None


def test_a_change_survives_a_connection_that_is_lost(venue: Ibkr):
    old = venue.rest(limit("90"))
    new = instead_of(old, "91")
    venue.adapter.replace_order(old, new)
    venue.stub.call(lambda: [client.drop() for client in list(venue.stub.clients)])
    venue.hear(lambda heard: not venue.adapter.updates_healthy)
    venue.trade("90")

    assert traded(venue.hear(lambda heard: traded(heard) == 10, new)) == 10


def test_a_corrected_price_is_put_right_in_money(venue: Ibkr):
    one = order()
    venue.adapter.submit_order(one)
    venue.kinds(one, UpdateKind.FILL, "10")
    venue.stub.call(venue.stub.correct, "99.5")
    eventually(lambda: venue.hear(lambda heard: True) and corrections(venue))

    assert [(told.code, told.amount) for told in corrections(venue)] == [("correction", Decimal("5.0"))]
    assert traded(venue.hear(lambda heard: True, one)) == 10
    [fill] = venue.adapter.query_fills(0)
    assert (fill.qty, fill.price) == (10, Decimal("99.5"))


def test_units_that_a_correction_adds_are_a_fill_of_their_own(venue: Ibkr):
    one = order()
    venue.adapter.submit_order(one)
    venue.kinds(one, UpdateKind.FILL, "10")
    venue.stub.call(venue.stub.correct, "100", "12")
    fills = [update for update in venue.hear(lambda heard: traded(heard) == 12, one) if update.qty]

    assert [fill.qty for fill in fills] == [10, 2]
    assert not corrections(venue)


def corrections(venue: Ibkr) -> list[CashUpdate]:
    return [one for one in venue.heard if isinstance(one, CashUpdate) and one.code == "correction"]


@pytest.fixture
def unpaid(venue: Ibkr, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """No commission comes until this is called."""
    commission, held = tws_messages.commission, []

    def of_nothing(execution_id: str, amount: Decimal) -> tuple[Any, ...]:
        held.append(commission(execution_id, amount))
        return commission("", amount)

    def pay() -> None:
        venue.stub.call(lambda: [client.send(*message) for client in venue.stub.clients for message in held])

    monkeypatch.setattr(tws_messages, "commission", of_nothing)
    return pay


def test_an_orders_end_comes_after_its_fills_and_a_late_commission_after_both(venue: Ibkr, unpaid: Callable[[], None]):
    one = venue.rest(limit("99"))
    venue.trade("99", "4")
    venue.adapter.cancel_order(one)

    assert venue.kinds(one, UpdateKind.CANCELLED) == [UpdateKind.ACCEPTED, UpdateKind.FILL, UpdateKind.CANCELLED]
    unpaid()
    eventually(lambda: venue.hear(lambda heard: True) and [one for one in venue.heard if isinstance(one, CashUpdate)])
    assert [(told.code, told.amount) for told in venue.heard if isinstance(told, CashUpdate)] == [("fee", Decimal(-1))]


def test_an_order_that_another_one_replaces_is_told_of_its_fills_first(venue: Ibkr, unpaid: Callable[[], None]):
    old = venue.rest(limit("99"))
    venue.trade("99", "4")
    eventually(lambda: venue.adapter.query_positions()[0].qty == 4)
    venue.adapter.replace_order(old, instead_of(old, "98", "6"))

    assert venue.kinds(old, UpdateKind.REPLACED) == [UpdateKind.ACCEPTED, UpdateKind.FILL, UpdateKind.REPLACED]


def test_a_fill_that_waits_for_its_commission_is_told_before_the_connection_is_closed(
    venue: Ibkr, unpaid: Callable[[], None]
):
    one = venue.rest(limit("99"))
    venue.trade("99", "4")
    eventually(lambda: venue.adapter.query_fills(0))
    venue.adapter.close()

    assert traded(venue.hear(lambda heard: True, one)) == 4


@pytest.mark.parametrize("code", [103, 110, 201, 203, 321, 354])
def test_an_error_that_refuses_an_order_is_told_at_once(venue: Ibkr, code: int):
    venue.stub.refusal_code = code
    venue.stub.faults.plan("refuse_error", where="place")
    with pytest.raises(Rejected, match="the venue does not take it"):
        venue.adapter.submit_order(order())

    assert not venue.book.orders


@pytest.mark.parametrize("code", [135, 161, 399, 404, 460, 2109, 2161, 10147, 10148, 10197, 10349])
def test_an_error_about_an_order_that_lives_does_not_end_it(venue: Ibkr, code: int):
    one = venue.rest(limit("90"))
    [placed] = venue.stub.placed.values()
    venue.stub.call(venue.stub.error, code, "a word about the order", placed.number)
    other = venue.rest(limit("91"))

    assert UpdateKind.CANCELLED not in [update.kind for update in venue.hear(lambda heard: True, one)]
    assert venue.working() == {one.client_order_id, other.client_order_id}
    venue.adapter.cancel_order(one)
    assert venue.kinds(one, UpdateKind.CANCELLED)[-1] is UpdateKind.CANCELLED


def test_a_ticker_that_is_listed_at_several_exchanges_is_told_apart_by_its_own(venue: Ibkr):
    venue.stub.listings[SYMBOL] = ["ARCA", "NYSE"]
    with pytest.raises(Rejected, match=r"several of SPY, at ARCA, NYSE: write the exchange with it, as SPY\.ARCA"):
        venue.adapter.submit_order(order())
    one = order(symbol=f"{SYMBOL}.ARCA")
    venue.adapter.submit_order(one)

    assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    assert venue.adapter.query_positions()[0].symbol == f"{SYMBOL}.ARCA"


def test_what_a_lost_process_did_not_hear_of_a_change_goes_to_whom_it_belongs(venue: Ibkr):
    old = venue.rest(limit("99"))
    known = booked(old, venue.hear(lambda heard: True, old))
    venue.trade("99", "4")
    eventually(lambda: venue.adapter.query_positions()[0].qty == 4)
    new = instead_of(old, "98", "6")
    venue.adapter.replace_order(old, new)
    venue.adapter.close()
    venue.trade("98")
    venue.go_on(known, Recalled(new))

    assert venue.kinds(new, UpdateKind.FILL, "6").count(UpdateKind.ACCEPTED) == 1
    assert traded(venue.hear(lambda heard: traded(heard) == 4, old)) == 4
    assert traded(venue.hear(lambda heard: True, new)) == 6


def test_a_change_of_the_quantity_alone_is_told_from_none(venue: Ibkr):
    made, never = venue.rest(limit("90")), venue.rest(limit("91"))
    known = [booked(one, venue.hear(lambda heard: True, one)) for one in (made, never)]
    smaller, larger = instead_of(made, "90", "6"), instead_of(never, "91", "12")
    venue.adapter.replace_order(made, smaller)
    venue.go_on(*known, Recalled(smaller), Recalled(larger))

    assert venue.kinds(smaller, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
    assert not venue.hear(lambda heard: True, larger)
    venue.adapter.replace_order(never, larger)
    assert venue.kinds(larger, UpdateKind.ACCEPTED) == [UpdateKind.ACCEPTED]
    assert sorted(held.terms.qty for held in venue.book.orders.values()) == [6, 12]


def test_an_order_that_ended_while_nobody_listened_is_found_over(venue: Ibkr):
    one = venue.rest(limit("90"))
    known = booked(one, venue.hear(lambda heard: True, one))
    venue.adapter.cancel_order(one)
    venue.kinds(one, UpdateKind.CANCELLED)
    venue.go_on(known)
    shown = venue.adapter.query_order(known.order)

    assert shown is not None and (shown.state, shown.filled_qty) == (UpdateKind.CANCELLED, 0)


def test_orders_that_were_filled_while_nobody_listened_are_listed_as_filled_and_others_not_at_all(venue: Ibkr):
    one, outsider = venue.rest(limit("90")), venue.make(client_id=9)
    known = booked(one, venue.hear(lambda heard: True, one))
    outsider.connect()
    outsider.submit_order(limit("90"))
    outsider.close()
    venue.adapter.close()
    venue.trade("90")
    venue.go_on(known)

    [shown] = venue.adapter.query_orders()
    assert (shown.client_order_id, shown.filled_qty, shown.is_over) == (one.client_order_id, 10, True)


def test_an_order_from_before_that_the_venue_knows_no_longer_is_over(venue: Ibkr):
    one = venue.rest(limit("90"))
    known = replace(booked(one, venue.hear(lambda heard: True, one)), decided_at=surely_today())
    venue.stub.placed.clear()
    venue.go_on(known)

    [update] = venue.hear(lambda heard: bool(heard), one)
    assert (update.kind, update.reason) == (UpdateKind.CANCELLED, "ibkr lists it no longer")


def test_and_one_of_an_earlier_day_is_left_to_a_person(venue: Ibkr, caplog: pytest.LogCaptureFixture):
    old, recent = venue.rest(limit("90")), venue.rest(limit("91"))
    earlier = replace(booked(old, venue.hear(lambda heard: True, old)), decided_at=time.time_ns() - 2 * DAY)
    today = replace(booked(recent, venue.hear(lambda heard: True, recent)), decided_at=surely_today())
    venue.stub.placed.clear()
    venue.go_on(earlier, today)
    venue.kinds(recent, UpdateKind.CANCELLED)

    assert not venue.hear(lambda heard: True, old)
    eventually(lambda: f"ibkr lists order {old.id} no longer" in caplog.text)
    assert caplog.text.count("it stays open in the books") == 1
    with pytest.raises(Transient, match="may be of an earlier day"):
        venue.adapter.query_order(earlier.order)


@pytest.mark.parametrize("days", [0, 2])
def test_a_change_of_an_earlier_day_whose_order_is_gone_is_left_to_a_person_too(venue: Ibkr, days: int):
    old = venue.rest(limit("90"))
    known = replace(booked(old, venue.hear(lambda heard: True, old)), decided_at=time.time_ns() - 3 * DAY)
    new = instead_of(old, "91")
    venue.stub.placed.clear()
    venue.go_on(known, Recalled(new, decided_at=surely_today() - days * DAY))
    other = venue.rest(limit("80"))
    venue.adapter.cancel_order(other)
    venue.kinds(other, UpdateKind.CANCELLED)

    told = [one.kind for one in venue.hear(lambda heard: True, new)]
    assert told == ([] if days else [UpdateKind.REJECTED])


def test_that_nothing_is_told_of_an_order_proves_nothing_once_its_day_is_over(venue: Ibkr):
    minutes = 60 * 10**9
    # It is ten past twelve at night there.
    now = datetime.now(UTC)
    venue.stub.zone = timezone(timedelta(minutes=10 - 60 * now.hour - now.minute))
    before, after, unheard_of = limit("90"), limit("91"), limit("92")
    venue.go_on(Recalled(before, decided_at=time.time_ns() - 20 * minutes), Recalled(after, decided_at=surely_today()))
    for one in (before, unheard_of):
        with pytest.raises(Transient, match="look in TWS or in the account's statement"):
            venue.adapter.query_order(one)
    assert venue.adapter.query_order(after) is None


@pytest.mark.parametrize(
    ("now", "since_midnight", "day"),
    [
        ("2026-01-15T15:00:00Z", timedelta(hours=15), "2026-01-15T05:00:00Z"),
        ("2026-01-15T15:00:00Z", timedelta(hours=10), "2026-01-15T05:00:00Z"),
        ("2026-01-15T17:00:00Z", timedelta(hours=1), "2026-01-15T16:00:00Z"),
        ("2026-01-15T04:00:00Z", timedelta(hours=23), "2026-01-14T05:00:00Z"),
        ("2026-01-15T04:00:00Z", timedelta(hours=4), "2026-01-15T00:00:00Z"),
    ],
    ids=["gateway in UTC", "in New York", "in Hong Kong", "in New York at night", "in UTC at night"],
)
def test_the_day_begins_at_the_later_midnight_of_the_gateways_and_new_yorks(
    now: str, since_midnight: timedelta, day: str
):
    assert began(datetime.fromisoformat(now), since_midnight) == datetime.fromisoformat(day)


def test_of_a_gateway_that_does_not_say_what_time_it_is_nothing_proves_anything(venue: Ibkr):
    one = limit("90")
    venue.adapter.recall([Recalled(one, decided_at=surely_today())])
    assert venue.adapter.query_order(one) is None
    venue.adapter._require()._greeting = b"\0\0\0\x05176\0martian\0"

    with pytest.raises(Transient, match="may be of an earlier day"):
        venue.adapter.query_order(one)


def test_an_outsider_finds_a_changed_order_by_its_terms_with_all_that_the_venue_counts(venue: Ibkr):
    old = venue.rest(limit("99"))
    venue.trade("99", "4")
    venue.hear(lambda heard: traded(heard) == 4, old)
    new, never = instead_of(old, "98", "6"), instead_of(old, "97", "6")
    venue.adapter.replace_order(old, new)
    venue.adapter.close()
    venue.trade("98", "1")
    outsider = venue.make()
    outsider.reach()
    try:
        shown = outsider.query_order(new)
        assert shown is not None and (shown.terms.qty, shown.filled_qty, shown.is_over) == (10, 5, False)
        outsider.recall([Recalled(never, decided_at=surely_today())])
        assert outsider.query_order(never) is None
    finally:
        outsider.close()
