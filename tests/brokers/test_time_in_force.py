"""How long orders work: by the exchange's sessions, by their own time, in auctions, at once."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.brokers.builders import DAY, MINUTE, OPENING, Venue, bar, buy, flat, sell
from trading.engine.bars import Bar, to_nanos
from trading.engine.calendars import calendar_of
from trading.engine.orders import OrderRecord, OrderType, TimeInForce

LIMIT = OrderType.LIMIT
#: Minutes from the opening to the close.
SESSION = 390


def at(text: str) -> int:
    """A moment in UTC."""
    return to_nanos(datetime.fromisoformat(text).replace(tzinfo=UTC))


def low(tif: TimeInForce, **terms) -> OrderRecord:
    """A buy limit far below the market."""
    return buy(1, LIMIT, limit_price="50", time_in_force=tif, **terms)


def priced(time: int, price: float = 100.0, symbol: str = "SPY") -> Bar:
    return Bar(symbol, time, price, price, price, price, 1_000.0)


def test_a_day_order_works_to_the_close_and_not_after_it():
    venue = Venue()
    order = venue.submit(low(TimeInForce.DAY))
    venue.see(flat(100, SESSION - 1))
    assert venue.kinds(order) == ["accepted"]
    venue.see(flat(40, SESSION))
    assert venue.kinds(order) == ["accepted", "expired"]
    assert venue.updates(order)[-1].reason == "the day is over"


@pytest.mark.parametrize(
    ("made", "last", "first_after"),
    [
        # A half day.
        ("2013-11-29 17:00", "2013-11-29 17:59", "2013-11-29 18:00"),
        ("2014-07-03 16:00", "2014-07-03 16:59", "2014-07-03 17:00"),
        # Made before the opening on the Monday after the clocks went forward.
        ("2024-03-11 12:00", "2024-03-11 19:59", "2024-03-11 20:00"),
        # Made at the close: good for the next session, beyond the weekend.
        ("2024-03-08 20:59", "2024-03-11 19:59", "2024-03-11 20:00"),
    ],
)
def test_a_day_order_ends_with_the_exchanges_own_session(made, last, first_after):
    venue = Venue(price=None)
    venue.see(priced(at(made)))
    order = venue.submit(low(TimeInForce.DAY, created_at=at(made)))
    venue.see(priced(at(last)))
    assert venue.kinds(order) == ["accepted"]
    venue.see(priced(at(first_after), 40.0))
    assert venue.kinds(order) == ["accepted", "expired"]


def test_a_day_order_made_on_a_daily_bar_lives_through_the_next_sessions_bar():
    """Bars of a day are stamped with New York's midnight: a Friday, then the Monday and the Tuesday after it."""
    venue = Venue(price=None, interval=DAY)
    friday, monday, tuesday = at("2024-03-08 05:00"), at("2024-03-11 04:00"), at("2024-03-12 04:00")
    venue.see(priced(friday))
    market = venue.submit(buy(1, time_in_force=TimeInForce.DAY, created_at=friday))
    limit = venue.submit(low(TimeInForce.DAY, created_at=friday))
    venue.see(priced(monday), priced(tuesday, 40.0))
    assert venue.kinds(market) == ["accepted", "fill"]
    assert venue.kinds(limit) == ["accepted", "expired"]


def test_a_day_order_of_crypto_ends_with_the_day_in_utc():
    venue = Venue(price=None)
    venue.see(priced(at("2024-03-10 22:00"), symbol="BTC/USD"))
    order = venue.submit(low(TimeInForce.DAY, symbol="BTC/USD", created_at=at("2024-03-10 22:00")))
    venue.see(priced(at("2024-03-10 23:59"), symbol="BTC/USD"))
    assert venue.kinds(order) == ["accepted"]
    venue.see(priced(at("2024-03-11 00:00"), 40.0, "BTC/USD"))
    assert venue.kinds(order)[-1] == "expired"


def test_a_bar_of_any_symbol_ends_what_is_over():
    venue = Venue()
    order = venue.submit(low(TimeInForce.DAY))
    venue.see(flat(15, SESSION, symbol="BAC"))
    assert venue.kinds(order) == ["accepted", "expired"]


def test_good_till_date_works_in_bars_that_start_before_it():
    venue = Venue()
    order = venue.submit(low(TimeInForce.GTD, expires_at=OPENING + 2 * MINUTE))
    venue.see(flat(100, 1))
    assert venue.kinds(order) == ["accepted"]
    venue.see(flat(40, 2))
    assert venue.kinds(order) == ["accepted", "expired"]


def test_in_the_bar_in_which_its_time_ends_only_the_open_is_sure_to_be_in_time():
    inside = buy(1, LIMIT, limit_price="95", time_in_force=TimeInForce.GTD, expires_at=OPENING + 90 * 10**9)
    opening = buy(1, LIMIT, limit_price="99", time_in_force=TimeInForce.GTD, expires_at=OPENING + 90 * 10**9)
    venue = Venue()
    venue.submit(inside)
    venue.submit(opening)
    venue.see(bar(98, 98, 90, 92, 1), flat(90, 2))
    assert venue.fills(opening) == [(1, Decimal(98))]
    assert venue.kinds(inside) == ["accepted", "expired"]


def test_immediate_or_cancel_has_the_next_open_alone():
    venue = Venue()
    taken = venue.submit(buy(1, LIMIT, limit_price="100", time_in_force=TimeInForce.IOC))
    missed = venue.submit(buy(1, LIMIT, limit_price="99", time_in_force=TimeInForce.IOC))
    venue.see(bar(100, 100, 98, 98, 1))
    assert venue.fills(taken) == [(1, Decimal(100))]
    assert venue.kinds(missed) == ["accepted", "cancelled"]


def test_at_the_same_close_immediate_or_cancel_is_over_at_once():
    venue = Venue(fill="same_close")
    missed = venue.submit(buy(1, LIMIT, limit_price="99", time_in_force=TimeInForce.IOC))
    assert venue.kinds(missed) == ["accepted", "cancelled"]


def test_an_order_for_the_opening_trades_at_the_next_sessions_open():
    venue = Venue()
    market = venue.submit(buy(1, time_in_force=TimeInForce.OPG))
    limit = venue.submit(buy(1, LIMIT, limit_price="90", time_in_force=TimeInForce.OPG))
    tomorrow = DAY // MINUTE
    venue.see(flat(80, 1), flat(80, tomorrow - 1), bar(95, 96, 85, 90, tomorrow))
    assert [(u.kind, u.time) for u in venue.updates(market)][-1] == ("fill", OPENING + DAY)
    assert venue.fills(market) == [(1, Decimal(95))]
    assert venue.updates(limit)[-1].reason == "it was not filled in the opening auction"


def test_an_order_for_an_opening_that_no_bar_holds_expires():
    venue = Venue()
    order = venue.submit(buy(1, time_in_force=TimeInForce.OPG))
    venue.see(flat(80, DAY // MINUTE + 1))
    assert venue.kinds(order) == ["accepted", "expired"]


def test_an_order_for_the_close_trades_at_the_sessions_last_price():
    venue = Venue()
    market = venue.submit(buy(1, time_in_force=TimeInForce.CLS))
    limit = venue.submit(sell(1, LIMIT, limit_price="99", time_in_force=TimeInForce.CLS))
    venue.see(flat(100, 1), bar(100, 101, 97, 98, SESSION - 1))
    assert venue.fills(market) == [(1, Decimal(98))]
    venue.see(flat(100, SESSION))
    assert venue.kinds(limit) == ["accepted", "expired"]


def test_on_daily_bars_the_auctions_are_the_next_bars_open_and_close():
    venue = Venue(price=None, interval=DAY)
    friday, monday = at("2024-03-08 05:00"), at("2024-03-11 04:00")
    venue.see(priced(friday))
    opening = venue.submit(buy(1, time_in_force=TimeInForce.OPG, created_at=friday))
    closing = venue.submit(buy(1, time_in_force=TimeInForce.CLS, created_at=friday))
    venue.see(Bar("SPY", monday, 101.0, 104.0, 99.0, 103.0, 1e6))
    assert venue.fills(opening) == [(1, Decimal(101))]
    assert venue.fills(closing) == [(1, Decimal(103))]


def test_with_fills_at_the_same_close_the_last_bars_order_is_in_its_closing_auction():
    venue = Venue(fill="same_close")
    venue.see(flat(98, SESSION - 1))
    order = venue.submit(buy(1, time_in_force=TimeInForce.CLS, created_at=OPENING + (SESSION - 1) * MINUTE))
    assert venue.fills(order) == [(1, Decimal(98))]


def test_what_trades_around_the_clock_has_no_auction():
    venue = Venue()
    venue.see(flat(100, 0, symbol="BTC/USD"))
    order = venue.submit(buy(1, symbol="BTC/USD", time_in_force=TimeInForce.OPG))
    assert venue.kinds(order) == ["rejected"]
    assert "around the clock" in venue.updates(order)[0].reason


def test_regular_hours_hold_orders_back_that_do_not_ask_for_more():
    venue = Venue(hours="regular")
    regular, extended = venue.submit(buy(1)), venue.submit(buy(1, extended_hours=True))
    tomorrow = DAY // MINUTE
    venue.see(flat(99, SESSION + 10))
    assert venue.kinds(regular) == ["accepted"]
    assert venue.fills(extended) == [(1, Decimal(99))]
    venue.see(flat(98, tomorrow))
    assert venue.fills(regular) == [(1, Decimal(98))]


def test_by_default_the_presence_of_a_bar_means_that_the_market_is_open():
    venue = Venue()
    order = venue.submit(buy(1))
    venue.see(flat(99, SESSION + 10))
    assert venue.fills(order) == [(1, Decimal(99))]


def test_latency_keeps_an_order_out_of_an_open_that_came_too_soon():
    venue = Venue(latency_ms=500)
    order = venue.submit(buy(1))
    venue.see(flat(101, 1), flat(102, 2))
    assert venue.fills(order) == [(1, Decimal(102))]


def test_an_order_never_trades_in_a_bar_of_the_stamp_at_which_it_was_made():
    """The bar of another symbol at the same stamp opened before the order was decided."""
    venue = Venue()
    order = venue.submit(buy(1, symbol="BAC"))
    venue.see(flat(15, 0, symbol="BAC"))
    assert venue.fills(order) == []
    venue.see(flat(16, 1, symbol="BAC"))
    assert venue.fills(order) == [(1, Decimal(16))]


def test_at_the_same_close_such_an_order_takes_that_bars_close():
    venue = Venue(fill="same_close")
    order = venue.submit(buy(1, symbol="BAC"))
    venue.see(bar(15, 16, 14, 15.5, 0, symbol="BAC"))
    assert venue.fills(order) == [(1, Decimal("15.5"))]


@given(st.integers(0, 1_000_000), st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_a_day_order_is_never_filled_after_its_close(start, steps):
    made = OPENING + start * MINUTE
    close = calendar_of("XNYS").close_after(made + MINUTE)
    venue = Venue(price=None)
    venue.see(priced(made))
    order = venue.submit(low(TimeInForce.DAY, created_at=made))
    time = made
    for step in steps:
        time += step * MINUTE
        venue.see(priced(time, 100.0 if time < close else 40.0))
    assert venue.fills(order) == []
    assert (venue.kinds(order)[-1] == "expired") is (time >= close)


def test_a_waiting_order_for_the_close_is_woken_and_still_waits_for_the_close():
    venue = Venue()
    entry = buy(1)
    exit_ = sell(1, time_in_force=TimeInForce.CLS, parent_id=entry.id)
    venue.submit(entry, exit_)
    venue.see(flat(100, 1))
    assert venue.fills(exit_) == []
    venue.see(bar(100, 105, 100, 103, SESSION - 1))
    assert venue.fills(exit_) == [(1, Decimal(103))]


def test_an_exit_that_waits_for_regular_hours_is_not_woken_outside_of_them():
    venue = Venue(hours="regular")
    entry = buy(1, extended_hours=True)
    exit_ = sell(1, parent_id=entry.id)
    venue.submit(entry, exit_)
    venue.see(flat(100, SESSION + 10))
    assert venue.fills(entry) == [(1, Decimal(100))]
    assert venue.fills(exit_) == []
    venue.see(flat(101, DAY // MINUTE))
    assert venue.fills(exit_) == [(1, Decimal(101))]


def test_regular_hours_hold_for_fills_at_the_same_close_too():
    venue = Venue(hours="regular", fill="same_close")
    venue.see(flat(100, SESSION + 10))
    order = venue.submit(buy(1, created_at=OPENING + (SESSION + 10) * MINUTE))
    assert venue.fills(order) == []
