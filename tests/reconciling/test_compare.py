"""The ledger's word on an account against the venue's, whatever either says."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.base import VenueAccount, VenuePosition
from brokers.sightings import VenueOrder
from tests.engine.builders import buy
from trading.engine.updates import UpdateKind
from trading.reconciling.compare import Booked, OurOrder, Shown, Unbelievable, check, differences, outside, same

RUN = "0" * 31 + "1"
UNITS = st.decimals(-1000, 1000, places=3)
SPELLINGS = st.sampled_from(["SPY", "SPY.ARCA", "BTC/USD", "BTCUSD", "BRK.B", "BRK.B.NYSE"])
TICKERS = {
    "SPY": "SPY",
    "SPY.ARCA": "SPY",
    "BTC/USD": "BTCUSD",
    "BTCUSD": "BTCUSD",
    "BRK.B": "BRKB",
    "BRK.B.NYSE": "BRKB",
}


def shown(held=(), cash=Decimal(0), orders=()):
    return Shown(VenueAccount("A1", cash, cash, cash), [VenuePosition(*one) for one in held], list(orders))


def order(name="by hand", filled="0", terms=None, state=UpdateKind.ACCEPTED, venue_order_id="v1"):
    return VenueOrder(
        client_order_id=name,
        venue_order_id=venue_order_id,
        state=state,
        terms=terms or buy(5),
        time=1,
        filled_qty=Decimal(filled),
        avg_price=Decimal(100),
    )


def ours(status="accepted", venue_order_id="v1"):
    return OurOrder(f"{RUN}-1", RUN, f"{RUN}-1", venue_order_id, status, Decimal(0))


@given(
    venue=st.lists(st.tuples(SPELLINGS, UNITS)),
    runs=st.dictionaries(st.tuples(st.sampled_from("ab"), SPELLINGS), UNITS),
    others=st.dictionaries(SPELLINGS, UNITS),
)
def test_a_position_differs_by_what_the_venue_has_more_of_its_ticker_than_runs_and_nobody_have(venue, runs, others):
    found = differences(shown(venue), Booked(held=runs, outside=others, cash=Decimal(0)))
    told = [*venue, *((symbol, -qty) for (_, symbol), qty in runs.items()), *((s, -qty) for s, qty in others.items())]
    sums = {
        ticker: sum((qty for symbol, qty in told if TICKERS[symbol] == ticker), Decimal(0))
        for ticker in TICKERS.values()
    }
    assert {one.subject: one.amount for one in found} == {ticker: qty for ticker, qty in sums.items() if qty}
    assert all(Decimal(one.venue["in_all"]) - Decimal(one.ledger["in_all"]) == one.amount for one in found)


@pytest.mark.parametrize(("more", "count"), [("0.01", 0), ("-0.01", 0), ("0.02", 1), ("-500", 1)])
def test_money_differs_beyond_a_cent(more, count):
    booked = Booked(held={}, outside={}, cash=Decimal(1000))
    assert len(differences(shown(cash=1000 + Decimal(more)), booked)) == count


def test_orders_are_those_of_others_unless_a_run_of_ours_has_sent_them_by_name_or_by_the_venues_id():
    leg = order("a name that the venue made", venue_order_id="v9")
    booked = Booked({}, {}, Decimal(0), orders=[ours(), ours(venue_order_id="v9")], runs=frozenset({RUN}))
    seen = [order(f"{RUN}-1"), leg, order("by hand", venue_order_id="v2"), order(f"{'9' * 32}-1", venue_order_id="v3")]
    assert [one.venue_order_id for one in outside(shown(orders=seen), booked)] == ["v2", "v3"]
    assert differences(shown(orders=seen), booked) == []


@pytest.mark.parametrize(
    ("known", "seen", "says"),
    [
        ([], order(f"{RUN}-1"), "the ledger has no such order"),
        ([ours("cancelled")], order(f"{RUN}-1"), "the ledger has it as cancelled"),
    ],
)
def test_an_order_under_our_name_differs_where_the_ledger_has_it_not_or_as_over(known, seen, says):
    booked = Booked({}, {}, Decimal(0), orders=known, runs=frozenset({RUN}))
    [found] = differences(shown(orders=[seen]), booked)
    assert (found.kind, found.subject, found.ledger["says"], found.run) == ("order", f"{RUN}-1", says, RUN)
    adopted = Booked({}, {}, Decimal(0), orders=known, runs=frozenset({RUN}), adopted=frozenset({"v1"}))
    assert (differences(shown(orders=[seen]), adopted) == []) is not bool(known)


@pytest.mark.parametrize("figure", ["NaN", "sNaN", "Infinity", "-Infinity", "1e308", "-1e308"])
def test_a_figure_that_cannot_be_is_refused_wherever_it_stands(figure):
    wrong = Decimal(figure)
    for one in (shown([("SPY", wrong)]), shown(cash=wrong)):
        with pytest.raises(Unbelievable):
            check(one)


@pytest.mark.parametrize("terms", [buy(10**16), buy(5)])
def test_an_order_beyond_all_measure_is_refused(terms):
    with pytest.raises(Unbelievable):
        check(shown(orders=[order(terms=terms, filled="1e308" if terms.qty == 5 else "0")]))


def test_what_has_changed_since_the_look_before_may_be_news_on_its_way():
    booked = Booked({}, {}, Decimal(0))
    first = differences(shown([("SPY", Decimal(5))]), booked)
    then = differences(shown([("SPY", Decimal(6))]), booked)
    assert same(first, {one.key: one.amount for one in first}) == first
    assert same(then, {one.key: one.amount for one in first}) == []
