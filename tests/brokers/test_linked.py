"""Linked orders: brackets, one-cancels-other, one-triggers-other, with right sizes after partial fills."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.brokers.builders import Venue, bar, buy, flat, sell
from trading.engine.orders import OrderRecord, OrderType, Side

LIMIT, STOP = OrderType.LIMIT, OrderType.STOP


def exits(entry: OrderRecord, target: str = "110", stop: str = "90") -> tuple[OrderRecord, OrderRecord]:
    """A target and a stop that wait for the fills of ``entry``."""
    links = {"parent_id": entry.id, "group": entry.id, "reduce_only": True}
    return (
        sell(entry.qty, LIMIT, limit_price=target, **links),
        sell(entry.qty, STOP, stop_price=stop, **links),
    )


def bracketed(venue: Venue, entry: OrderRecord, **prices: str) -> tuple[OrderRecord, OrderRecord]:
    target, stop = exits(entry, **prices)
    venue.submit(entry, target, stop)
    return target, stop


def test_exits_wait_for_the_entry():
    venue = Venue()
    entry = buy(10, LIMIT, limit_price="95")
    target, stop = bracketed(venue, entry)
    venue.see(bar(100, 111, 99, 100, 1))
    assert venue.kinds(target) == venue.kinds(stop) == ["accepted"]
    venue.see(bar(100, 100, 89, 100, 2))
    assert venue.fills(entry) == [(10, Decimal(95))]
    # The entry was filled inside of the second bar, whose range also reaches the stop: the worse is taken.
    assert venue.fills(stop) == [(10, Decimal(90))]


def test_the_target_cancels_the_stop():
    venue = Venue()
    entry = buy(10)
    target, stop = bracketed(venue, entry)
    venue.see(flat(100, 1), bar(100, 112, 100, 111, 2))
    assert venue.fills(target) == [(10, Decimal(110))]
    assert venue.kinds(stop) == ["accepted", "cancelled"]
    assert venue.updates(stop)[-1].reason == "the quantity that it shares is filled"


def test_of_a_stop_and_a_target_in_one_bar_the_stop_is_filled():
    venue = Venue()
    target, stop = bracketed(venue, buy(10))
    venue.see(flat(100, 1), bar(100, 115, 85, 112, 2))
    assert venue.fills(stop) == [(10, Decimal(90))]
    assert venue.kinds(target) == ["accepted", "cancelled"]


def test_a_target_beyond_which_the_bar_opens_is_filled_at_that_open():
    venue = Venue()
    target, stop = bracketed(venue, buy(10))
    venue.see(flat(100, 1), bar(113, 115, 85, 90, 2))
    assert venue.fills(target) == [(10, Decimal(113))]
    assert venue.kinds(stop) == ["accepted", "cancelled"]


def test_exits_of_an_entry_at_the_open_may_trade_in_the_rest_of_that_bar():
    venue = Venue()
    target, _ = bracketed(venue, buy(10))
    venue.see(bar(100, 112, 99, 100, 1))
    assert venue.fills(target) == [(10, Decimal(110))]


def test_a_target_of_an_entry_inside_the_bar_waits_for_the_close_to_prove_it():
    venue = Venue()
    entry = buy(10, LIMIT, limit_price="95")
    target, _ = bracketed(venue, entry, target="97")
    venue.see(bar(100, 100, 94, 96, 1))
    assert venue.fills(target) == []
    venue = Venue()
    entry = buy(10, LIMIT, limit_price="95")
    target, _ = bracketed(venue, entry, target="97")
    venue.see(bar(96, 98, 94, 97.5, 1))
    assert venue.fills(target) == [(10, Decimal(97))]


def test_exits_never_trade_more_than_the_entry_has_filled():
    venue = Venue(slippage={"volume_share": "0.1"})
    entry = buy(250)
    target, stop = bracketed(venue, entry)
    venue.see(flat(100, 1))
    assert venue.fills(entry) == [(100, Decimal(100))]
    # Another 100 are bought at the open; the rest of the volume is spent, so nothing is left for an exit.
    venue.see(bar(100, 100, 85, 88, 2))
    assert venue.filled([entry]) == 200
    # The stop is reached, but the bar's volume has gone to the entry; it is triggered and sells from the next bar on.
    venue.see(flat(88, 3, volume=10_000.0))
    assert venue.filled([entry]) == 250
    assert venue.filled([target, stop]) == 250


def test_an_entry_that_ends_half_filled_leaves_exits_for_that_half():
    venue = Venue(slippage={"volume_share": "0.1"})
    entry = buy(250)
    target, stop = bracketed(venue, entry)
    venue.see(flat(100, 1))
    venue.cancel(entry)
    assert venue.kinds(target) == venue.kinds(stop) == ["accepted"]
    venue.see(flat(111, 2))
    assert venue.fills(target) == [(100, Decimal(111))]
    assert venue.kinds(target)[-1] == venue.kinds(stop)[-1] == "cancelled"


def test_an_entry_that_ends_with_nothing_takes_its_exits_with_it():
    venue = Venue()
    entry = buy(10, LIMIT, limit_price="95")
    target, stop = bracketed(venue, entry)
    venue.cancel(entry)
    assert venue.kinds(target) == venue.kinds(stop) == ["accepted", "cancelled"]
    assert venue.updates(stop)[-1].reason == "the order that it waits for has ended"


def test_one_cancels_other_shares_the_quantity_over_partial_fills():
    venue = Venue(slippage={"volume_share": "0.1"})
    venue.hold(150)
    first = sell(150, LIMIT, limit_price="110", id="first", group="first")
    second = sell(150, STOP, stop_price="90", id="second", group="first")
    venue.submit(first, second)
    venue.see(flat(110, 1))
    assert venue.fills(first) == [(100, Decimal(110))]
    venue.see(flat(89, 2))
    assert venue.fills(second) == [(50, Decimal(89))]
    assert venue.kinds(first)[-1] == venue.kinds(second)[-1] == "cancelled"


def test_one_triggers_other_opens_a_second_order_of_any_side():
    venue = Venue()
    first = buy(10, LIMIT, limit_price="95")
    second = buy(10, LIMIT, limit_price="90", parent_id=first.id, group=first.id)
    venue.submit(first, second)
    venue.see(bar(91, 91, 85, 88, 1))
    assert venue.fills(first) == [(10, Decimal(91))]
    assert venue.fills(second) == [(10, Decimal(90))]


def test_a_replaced_entry_hands_its_exits_to_the_new_one():
    venue = Venue()
    entry = buy(10, LIMIT, limit_price="80")
    target, stop = bracketed(venue, entry)
    new = venue.replace(entry, buy(4, LIMIT, limit_price="99", replaces=entry.id))
    assert venue.kinds(entry) == ["accepted", "replaced"]
    venue.see(bar(98, 98, 98, 98, 1), flat(111, 2))
    assert venue.fills(new) == [(4, Decimal(98))]
    assert venue.fills(target) == [(4, Decimal(111))]
    assert venue.kinds(stop)[-1] == "cancelled"


def test_a_replaced_exit_stays_in_its_group():
    venue = Venue()
    target, stop = bracketed(venue, buy(10))
    venue.see(flat(100, 1))
    nearer = venue.replace(target, sell(10, LIMIT, limit_price="105", replaces=target.id, reduce_only=True))
    venue.see(flat(106, 2))
    assert venue.fills(nearer) == [(10, Decimal(106))]
    assert venue.kinds(stop)[-1] == "cancelled"


def test_a_replaced_trailing_stop_goes_on_from_the_best_price_so_far_with_its_new_distance():
    venue = Venue()
    venue.hold(10)
    wide = venue.submit(sell(10, OrderType.TRAILING_STOP, trail_amount="20"))
    venue.see(flat(110, 1), flat(108, 2))
    tight = venue.replace(wide, sell(10, OrderType.TRAILING_STOP, trail_amount="5", replaces=wide.id))
    venue.see(bar(108, 108, 104, 106, 3))
    assert venue.fills(tight) == [(10, Decimal(105))]


def test_replacing_what_is_not_there_is_refused():
    venue = Venue()
    gone = venue.submit(buy(1))
    venue.see(flat(100, 1))
    new = venue.replace(gone, buy(1, LIMIT, limit_price="90"))
    assert venue.kinds(new) == ["rejected"]


def test_a_reduce_only_order_never_opens_a_position():
    venue = Venue()
    venue.hold(6)
    order = venue.submit(sell(10, reduce_only=True))
    venue.see(flat(100, 1))
    assert venue.fills(order) == [(6, Decimal(100))]
    assert venue.kinds(order)[-1] == "cancelled"
    assert venue.sim.query_positions() == []


def test_a_reduce_only_order_ends_when_another_has_closed_the_position():
    venue = Venue()
    venue.hold(10)
    stop = venue.submit(sell(10, STOP, stop_price="90", reduce_only=True))
    venue.submit(sell(10))
    venue.see(flat(100, 1))
    assert venue.kinds(stop) == ["accepted", "cancelled"]
    assert venue.updates(stop)[-1].reason == "there is nothing to reduce"


def test_an_alternative_that_ends_with_the_shared_quantity_leaves_exits_for_what_it_filled():
    venue = Venue(slippage={"volume_share": "0.1"})
    up = buy(10, STOP, stop_price="105")
    down = sell(10, STOP, stop_price="95")
    guard = sell(10, STOP, stop_price="103", parent_id=up.id)
    venue.submit(up, down, guard)
    venue.see(flat(95, 1, volume=40.0), flat(105, 2, volume=60.0), flat(102, 3))
    assert venue.fills(down) == [(4, Decimal(95))]
    assert venue.fills(up) == [(6, Decimal(105))]
    assert venue.fills(guard) == [(6, Decimal(102))]


def test_an_exit_that_trades_when_its_entry_does_pays_the_spread():
    venue = Venue()
    entry = buy(10)
    out = sell(10, parent_id=entry.id)
    venue.submit(entry, out)
    venue.see(flat(100, 1, bid=99.9, ask=100.1))
    assert venue.fills(entry) == [(10, Decimal("100.1"))]
    assert venue.fills(out) == [(10, Decimal("99.9"))]


cents = st.integers(8_000, 12_000).map(lambda value: value / 100)


@st.composite
def moves(draw: st.DrawFn) -> tuple[float, float, float, float, float]:
    low, first, last, high = sorted(draw(st.tuples(cents, cents, cents, cents)))
    if draw(st.booleans()):
        first, last = last, first
    return first, high, low, last, float(draw(st.integers(0, 3_000)))


@st.composite
def groups(draw: st.DrawFn) -> tuple[OrderRecord, list[OrderRecord], list[OrderRecord]]:
    """An entry, its alternatives, and what waits for it."""
    price = draw(cents)
    entry = buy(draw(st.integers(1, 200)), LIMIT, limit_price=repr(price))
    others = [buy(entry.qty, STOP, stop_price=repr(draw(cents))) for _ in range(draw(st.integers(0, 2)))]
    children = []
    for _ in range(draw(st.integers(0, 3))):
        links = {"parent_id": entry.id, "reduce_only": draw(st.booleans())}
        make = draw(st.sampled_from([buy, sell]))
        kind = draw(st.sampled_from(["limit", "stop", "market", "trailing"]))
        if kind == "limit":
            child = make(entry.qty, LIMIT, limit_price=repr(draw(cents)), **links)
        elif kind == "stop":
            child = make(entry.qty, STOP, stop_price=repr(draw(cents)), **links)
        elif kind == "trailing":
            child = make(entry.qty, OrderType.TRAILING_STOP, trail_percent="3", **links)
        else:
            child = make(entry.qty, **links)
        children.append(child)
    return entry, others, children


@settings(max_examples=150, deadline=None)
@given(groups(), st.lists(moves(), min_size=1, max_size=8), st.booleans(), st.integers(0, 8))
def test_groups_never_trade_more_than_they_share_and_never_lose_an_order(group, bars, by_volume, cancel_at):
    entry, others, children = group
    venue = Venue(slippage={"volume_share": "0.1"} if by_volume else None)
    venue.submit(entry, *others, *children)
    everything = [entry, *others, *children]
    for minute, (first, high, low, last, volume) in enumerate(bars, start=1):
        if minute == cancel_at:
            venue.cancel(entry)
        venue.see(bar(first, high, low, last, minute, volume=volume))
        assert venue.filled([entry, *others]) <= entry.qty
        assert venue.filled(children) <= venue.filled([entry])
        if by_volume:
            fills = [u for one in everything for u in venue.updates(one) if u.kind == "fill" and u.time > 0]
            assert sum(u.qty for u in fills if u.time == venue.sim._book.now) <= Decimal(repr(volume)) / 10
    resting = {work.key for work in venue.sim._book.orders()}
    for one in everything:
        kinds = venue.kinds(one)
        is_over = "cancelled" in kinds or sum(qty for qty, _ in venue.fills(one)) == one.qty
        assert kinds.count("cancelled") <= 1
        assert is_over != (one.id in resting)
    sides = {one.id: 1 if one.side is Side.BUY else -1 for one in everything}
    money = sum(-sides[one.id] * qty * price for one in everything for qty, price in venue.fills(one))
    assert venue.sim.query_account().cash == 100_000 + money
