"""What Alpaca takes in an order and what it does not, said before anything is sent, and how its rows read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.alpaca import mapping
from tests.brokers.contract import limit, order, stop
from trading.engine.errors import Rejected
from trading.engine.orders import OrderType, Side, TimeInForce
from trading.engine.updates import UpdateKind

CALL = "AAPL261218C00200000"
STOP_LIMIT = {"type": OrderType.STOP_LIMIT, "stop_price": Decimal(95), "limit_price": Decimal(94)}
TRAILING = {"type": OrderType.TRAILING_STOP, "trail_percent": Decimal(1)}

TAKEN = {
    "half a share by the day": order(qty="0.5"),
    "half a share behind a stop": order(Side.SELL, "0.5", **STOP_LIMIT),
    "a limit into the close": limit("90", time_in_force=TimeInForce.CLS),
    "a limit before the open": limit("90", extended_hours=True),
    "a trailing stop that stays": order(Side.SELL, time_in_force=TimeInForce.GTC, **TRAILING),
    "a part of a coin": order(qty="0.0001", symbol="BTC/USD", time_in_force=TimeInForce.GTC),
    "a stop limit for a coin": order(symbol="BTC/USD", time_in_force=TimeInForce.GTC, **STOP_LIMIT),
    "an option by the day": limit("2.05", symbol=CALL),
}
REFUSED = {
    "half a share that stays": (order(qty="0.5", time_in_force=TimeInForce.GTC), "by day orders alone"),
    "half a share behind a trailing stop": (order(qty="0.5", **TRAILING), "by day orders alone"),
    "a stop into the close": (stop("90", time_in_force=TimeInForce.CLS), "market and limit orders into an auction"),
    "a market order before the open": (order(extended_hours=True), "limit orders for stocks"),
    "an option after the close": (limit("2", symbol=CALL, extended_hours=True), "limit orders for stocks"),
    "an option that stays": (order(symbol=CALL, time_in_force=TimeInForce.GTC), "it takes day"),
    "an option behind a trailing stop": (order(symbol=CALL, **TRAILING), "no trailing_stop orders for option"),
    "a coin by the day": (order(symbol="BTC/USD"), "it takes gtc, ioc"),
    "a coin behind a stop": (stop("90", symbol="BTC/USD", time_in_force=TimeInForce.GTC), "no stop orders for crypto"),
    "a trailing stop at once": (order(time_in_force=TimeInForce.IOC, **TRAILING), "trailing stops for day, gtc"),
    "a day of one's own": (limit("90", time_in_force=TimeInForce.GTD, expires_at=1), "no time in force gtd"),
}


@pytest.mark.parametrize("one", TAKEN.values(), ids=TAKEN)
def test_what_alpaca_takes_is_sent_digit_by_digit(one):
    body = mapping.payload(one)
    assert (body["qty"], body["type"], body["time_in_force"]) == (f"{one.qty:f}", one.type, one.time_in_force)
    assert body["client_order_id"] == one.client_order_id


@pytest.mark.parametrize(("one", "why"), REFUSED.values(), ids=REFUSED)
def test_what_alpaca_does_not_take_is_refused_with_what_it_takes_instead(one, why):
    with pytest.raises(Rejected, match=why):
        mapping.payload(one)


@pytest.mark.parametrize(
    "terms",
    [{"qty": "0.5"}, {"symbol": "BTC/USD", "time_in_force": TimeInForce.GTC}, {"time_in_force": TimeInForce.IOC}],
)
def test_linked_orders_are_for_whole_shares_that_stay(terms):
    entry = limit("99", **terms)
    target = limit("110", Side.SELL, **terms, parent_id=entry.id)
    with pytest.raises(Rejected, match="links"):
        mapping.payload(entry, (target,))


@pytest.mark.parametrize(("first", "second"), [(TimeInForce.DAY, TimeInForce.GTC), (TimeInForce.GTC, TimeInForce.DAY)])
def test_linked_orders_stay_for_the_same_time(first, second):
    entry, alternative = limit("99", time_in_force=first), limit("110", Side.SELL, time_in_force=first)
    after = stop("90", time_in_force=second, parent_id=entry.id, reduce_only=True)
    beside = stop("90", time_in_force=second, group=alternative.id)
    for order_, linked in ((entry, after), (alternative, beside)):
        with pytest.raises(Rejected, match="make all of them day, or all of them gtc"):
            mapping.payload(order_, (linked,))


def row(**changed):
    """An order as Alpaca shows it."""
    facts = {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": "run-1",
        "created_at": "2026-01-05T15:00:00.123456789Z",
        "updated_at": "2026-01-05T15:00:01.123456789Z",
        "symbol": "SPY",
        "qty": "10",
        "notional": None,
        "filled_qty": "0",
        "filled_avg_price": None,
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "99",
        "status": "new",
    }
    return {**facts, **changed}


def test_a_word_for_a_state_that_nobody_knows_reads_as_unknown_and_is_no_error():
    assert mapping.order_of(row(status="held_for_review_by_moon")).state is UpdateKind.UNKNOWN


@pytest.mark.parametrize(("tif", "state"), [("day", UpdateKind.EXPIRED), ("gtc", UpdateKind.ACCEPTED)])
def test_an_order_that_is_done_for_the_day_goes_on_the_next_one_unless_it_is_for_the_day(tif, state):
    assert mapping.order_of(row(status="done_for_day", time_in_force=tif)).state is state


def test_terms_in_words_that_nobody_knows_read_as_the_nearest_ones():
    shown = mapping.order_of(row(type="pegged", time_in_force="gtx"))
    assert (shown.terms.type, shown.terms.time_in_force) == (OrderType.MARKET, TimeInForce.DAY)


def test_an_order_for_an_amount_of_money_counts_in_units_once_it_trades():
    waiting = row(qty=None, notional="1000", limit_price=None, type="market")
    part = {**waiting, "filled_qty": "4", "filled_avg_price": "100", "status": "partially_filled"}
    done = {**part, "filled_qty": "9.98", "filled_avg_price": "100.2", "status": "filled"}
    assert mapping.rows_of([waiting, row()]) == [row()]
    assert mapping.rows_of([part]) == [part]
    assert (mapping.order_of(part).terms.qty, mapping.order_of(part).is_over) == (10, False)
    assert (mapping.order_of(done).terms.qty, mapping.order_of(done).is_over) == (Decimal("9.98"), True)
