"""When and at what price an order trades in a bar, rule by rule."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.matching import Seen, at_point, between
from brokers.working import WorkingOrder
from tests.brokers.builders import bar, buy, sell
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord, OrderType, Side

LIMIT, STOP, STOP_LIMIT, TRAILING = (
    OrderType.LIMIT,
    OrderType.STOP,
    OrderType.STOP_LIMIT,
    OrderType.TRAILING_STOP,
)


def working(order: OrderRecord) -> WorkingOrder:
    return WorkingOrder.of(order, instrument_of(order.symbol))


def traded(order: OrderRecord, *prices: float, mark: str | None = None) -> Decimal | None:
    """The price at which an order that rested before a bar trades in it."""
    work, seen = working(order), Seen(bar(*prices))
    if mark is not None:
        at_point(work, Decimal(mark))
    price = at_point(work, seen.open(work.buy))
    return price if price is not None else between(work, seen, True)


def woken(order: OrderRecord, at: str, *prices: float) -> Decimal | None:
    """The price at which an order trades that was woken inside a bar by a fill at ``at``."""
    work, seen = working(order), Seen(bar(*prices))
    price = at_point(work, Decimal(at))
    return price if price is not None else between(work, seen, False)


def decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def test_a_market_order_takes_the_open():
    assert traded(buy(), 100.5, 101, 100, 101) == Decimal("100.5")


@pytest.mark.parametrize(
    ("order", "bar", "price"),
    [
        (buy(type=LIMIT, limit_price="100"), (101, 102, 99.5, 101), "100"),
        (buy(type=LIMIT, limit_price="100"), (99, 101, 98, 100), "99"),
        (buy(type=LIMIT, limit_price="100"), (101, 102, 100, 101), "100"),
        (buy(type=LIMIT, limit_price="100"), (101, 102, 100.01, 101), None),
        (sell(type=LIMIT, limit_price="100"), (99, 100.5, 98, 99), "100"),
        (sell(type=LIMIT, limit_price="100"), (102, 103, 101, 101), "102"),
        (sell(type=LIMIT, limit_price="100"), (99, 99.99, 98, 99), None),
    ],
)
def test_a_limit_order_takes_a_better_open_else_its_limit_when_touched(order, bar, price):
    assert traded(order, *bar) == decimal(price)


@pytest.mark.parametrize(
    ("order", "bar", "price"),
    [
        (buy(type=STOP, stop_price="105"), (100, 106, 99, 101), "105"),
        (buy(type=STOP, stop_price="105"), (107, 108, 106, 107), "107"),
        (buy(type=STOP, stop_price="105"), (100, 104.99, 99, 101), None),
        (sell(type=STOP, stop_price="95"), (100, 101, 94, 100), "95"),
        (sell(type=STOP, stop_price="95"), (93, 96, 92, 95), "93"),
        (sell(type=STOP, stop_price="95"), (100, 101, 95.01, 96), None),
    ],
)
def test_a_stop_trades_at_its_price_when_reached_and_at_the_open_of_a_gap(order, bar, price):
    assert traded(order, *bar) == decimal(price)


@pytest.mark.parametrize(
    ("limit", "bar", "price"),
    [
        # Reached inside the bar: the limit allows the stop's price.
        ("105.50", (100, 106, 99, 101), "105"),
        # A gap over the stop: the open, if the limit allows it.
        ("105.50", (105.2, 106, 105.2, 106), "105.2"),
        # A gap over the limit: it rests, and the range after the open comes back to it.
        ("105.50", (106, 107, 105, 107), "105.50"),
        ("105.50", (106, 107, 105.6, 107), None),
        # A limit below the stop: only a close at or below it proves that the price came back.
        ("104", (100, 106, 99, 105), None),
        ("104", (100, 106, 99, 103.5), "104"),
    ],
)
def test_a_stop_limit_becomes_a_limit_order_where_its_stop_is_reached(limit, bar, price):
    order = buy(type=STOP_LIMIT, stop_price="105", limit_price=limit)
    assert traded(order, *bar) == decimal(price)


def test_a_stop_limit_that_was_triggered_rests_as_a_limit_order():
    work = working(sell(type=STOP_LIMIT, stop_price="95", limit_price="94.50"))
    assert at_point(work, Decimal(93)) is None
    assert work.triggered
    assert between(work, Seen(bar(93, 94, 92, 93)), True) is None
    assert at_point(work, Decimal("94.60")) == Decimal("94.60")


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        # The mark is 100, so the stop stands at 98.
        ((100, 101, 97.5, 100), "98"),
        ((97, 98, 96, 97), "97"),
        # No adverse move to 98; the high of 104 moves the stop to 102, and the close below proves that it was crossed.
        ((100, 104, 99, 101.5), "102"),
        ((100, 104, 99, 103), None),
        # The open of 102 moves the stop to 100 before the range is held against it.
        ((102, 102.5, 99.5, 102), "100"),
    ],
)
def test_a_trailing_stop_is_held_against_the_adverse_extreme_then_the_close(bar, price):
    assert traded(sell(type=TRAILING, trail_amount="2"), *bar, mark="100") == decimal(price)


def test_a_trailing_stop_in_percent_mirrors_it_for_a_buyer():
    order = buy(type=TRAILING, trail_percent="2")
    assert traded(order, 100, 102, 99, 101, mark="100") == Decimal("102")
    assert traded(order, 100, 101, 95, 97, mark="100") == Decimal("96.90")
    assert traded(order, 100, 101, 95, 96.5, mark="100") is None


def test_the_stop_of_a_trailing_stop_is_rounded_away_from_the_market():
    work = working(sell(type=TRAILING, trail_percent="1.5"))
    at_point(work, Decimal("33.33"))
    assert work.stop == Decimal("32.83")
    work = working(buy(type=TRAILING, trail_percent="1.5"))
    at_point(work, Decimal("33.33"))
    assert work.stop == Decimal("33.83")


@pytest.mark.parametrize(
    ("order", "bar", "price"),
    [
        # Woken at 100 inside the bar: the range's low may have come before, yet a stop takes it for seen.
        (sell(type=STOP, stop_price="98"), (101, 103, 97, 102), "98"),
        # A target only trades if the close proves that the price went there afterwards.
        (sell(type=LIMIT, limit_price="102"), (101, 103, 97, 101), None),
        (sell(type=LIMIT, limit_price="102"), (101, 103, 97, 102.5), "102"),
        (sell(type=LIMIT, limit_price="99"), (101, 103, 97, 102.5), "100"),
        (sell(type=STOP, stop_price="100.5"), (101, 103, 100, 102), "100"),
        (sell(type=TRAILING, trail_amount="2"), (101, 103, 98, 101), "98"),
        (sell(type=TRAILING, trail_amount="2"), (101, 105, 99, 101), None),
        (buy(), (101, 103, 97, 102), "100"),
    ],
)
def test_what_is_woken_inside_a_bar_takes_the_worse_of_what_it_cannot_know(order, bar, price):
    assert woken(order, "100", *bar) == decimal(price)


def test_a_quoted_bar_is_seen_higher_by_buyers_and_lower_by_sellers():
    seen = Seen(bar(10.0, 10.2, 9.8, 10.0, bid=9.9, ask=10.1))
    assert [seen.open(True), seen.low(True), seen.close(True)] == [Decimal("10.1"), Decimal("9.9"), Decimal("10.1")]
    assert [seen.open(False), seen.high(False), seen.close(False)] == [Decimal("9.9"), Decimal("10.1"), Decimal("9.9")]


def test_a_quoted_bar_fills_a_buy_limit_where_the_ask_came_to_it():
    quoted = Seen(bar(10.2, 10.3, 10.0, 10.1, bid=10.0, ask=10.2))
    assert between(working(buy(type=LIMIT, limit_price="10.00")), quoted, True) is None
    assert between(working(buy(type=LIMIT, limit_price="10.10")), quoted, True) == Decimal("10.10")


cents = st.integers(100, 20_000).map(lambda value: Decimal(value) / 100)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """Open, high, low and close of a bar."""
    low, *inner, high = sorted(float(draw(cents)) for _ in range(4))
    first, last = draw(st.permutations(inner))
    return first, high, low, last


@st.composite
def orders(draw: st.DrawFn) -> OrderRecord:
    kind = draw(st.sampled_from(OrderType))
    terms = {}
    if kind in (LIMIT, STOP_LIMIT):
        terms["limit_price"] = draw(cents)
    if kind in (STOP, STOP_LIMIT):
        terms["stop_price"] = draw(cents)
    if kind is TRAILING:
        terms["trail_amount"] = draw(cents)
    return (buy if draw(st.sampled_from(Side)) is Side.BUY else sell)(type=kind, **terms)


@given(orders(), ranges())
def test_every_order_type_trades_inside_the_bar_and_never_beyond_its_limit(order, prices):
    price = traded(order, *prices)
    if order.type is OrderType.MARKET:
        assert price is not None
    if price is not None:
        assert Decimal(repr(prices[2])) <= price <= Decimal(repr(prices[1]))
        if order.limit_price is not None:
            assert price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


@given(orders(), ranges())
def test_waking_inside_a_bar_is_never_better_than_having_rested_through_it(order, prices):
    """An exit that a fill at the open wakes knows more of the bar than one that a fill inside of it wakes."""
    rested, late = traded(order, *prices), woken(order, repr(prices[0]), *prices)
    if order.type in (LIMIT, OrderType.MARKET) and late is not None:
        assert rested == late


@given(orders(), ranges())
def test_what_is_said_to_be_out_of_reach_does_not_trade(order, prices):
    work = working(order)
    if order.type is not TRAILING and work.is_out_of_reach(bar(*prices)):
        assert traded(order, *prices) is None


def test_order_types_are_those_of_the_matcher():
    wide = {LIMIT: {"limit_price": "100"}, STOP: {"stop_price": "100"}, TRAILING: {"trail_amount": "1"}}
    wide[STOP_LIMIT] = {"limit_price": "101", "stop_price": "100"}
    for kind in OrderType:
        order = buy(type=kind, **wide.get(kind, {}))
        assert traded(order, 100.5, 110, 90, 108, mark="100") is not None, kind
