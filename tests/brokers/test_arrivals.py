"""Market orders that come to resting quotes by chance."""

from decimal import Decimal
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.arrivals import Arrivals, read_arrivals
from tests.brokers.builders import Venue, buy, flat, sell
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderType

FLOW = {"intensity": 0.7, "decay": 1.5, "seed": 3}
LIMIT = OrderType.LIMIT


def filled_in(bars, limit, order=buy, **flow):
    """The number of the flat bar in which a quote for one unit is filled at its limit, None for no bar."""
    venue = Venue(arrivals={**FLOW, **flow})
    quote = venue.submit(order(1, LIMIT, limit_price=limit))
    for minute in range(1, bars + 1):
        venue.see(flat(100.0, minute))
        if venue.fills(quote):
            assert venue.fills(quote) == [(Decimal(1), Decimal(limit))]
            return minute
    return None


def test_the_chance_is_that_of_a_poisson_process():
    """140 a period of 200 steps, k = 1.5, half a spread of 0.745: 1 - exp(-140 / 200 x exp(-1.1175)) = 0.2046."""
    flow = Arrivals(intensity=0.7, decay=1.5)
    assert flow.chance(0.745, 1.0) == pytest.approx(0.2046, abs=1e-4)
    assert flow.chance(0.745, 5.0) == pytest.approx(1 - (1 - flow.chance(0.745, 1.0)) ** 5)
    assert flow.chance(-1.0, 1.0) == pytest.approx(1 - exp(-0.7))


def test_quotes_that_no_bar_reaches_are_filled_as_often_as_the_model_says():
    flow = Arrivals(intensity=0.7, decay=1.5, seed=3)
    chance, bars = flow.chance(0.745, 1.0), 20_000
    hits = sum(flow.draw("SPY", minute * 60_000_000_000, True) < chance for minute in range(bars))
    assert hits / bars == pytest.approx(chance, abs=4 * (chance * (1 - chance) / bars) ** 0.5)


def test_without_arrivals_nothing_comes():
    venue = Venue()
    quote = venue.submit(buy(1, LIMIT, limit_price="99.9"))
    venue.see(*(flat(100.0, minute) for minute in range(1, 100)))
    assert venue.fills(quote) == []


def test_a_quote_is_filled_in_the_same_bar_whatever_it_is_called_and_whoever_rests_beside_it():
    alone = filled_in(200, "99.5")
    assert alone is not None
    venue = Venue(arrivals=FLOW)
    others = [venue.submit(sell(1, LIMIT, limit_price="101.0")), venue.submit(buy(7, LIMIT, limit_price="98"))]
    quote = venue.submit(buy(1, LIMIT, limit_price="99.5", id="another-name"))
    venue.see(*(flat(100.0, minute) for minute in range(1, alone)))
    assert venue.fills(quote) == []
    venue.see(flat(100.0, alone))
    assert venue.fills(quote) == [(Decimal(1), Decimal("99.5"))]
    assert len(others) == 2


def test_another_seed_and_the_other_side_have_a_chance_of_their_own():
    assert len({filled_in(500, "99", seed=seed) for seed in range(8)}) > 3
    assert len({(filled_in(500, "99", seed=s), filled_in(500, "101", sell, seed=s)) for s in range(8)}) > 3


@given(near=st.integers(1, 300), further=st.integers(0, 300), seed=st.integers(0, 99))
def test_of_two_quotes_the_one_closer_to_the_market_is_never_filled_later(near, further, seed):
    flow = Arrivals(intensity=0.7, decay=1.5, seed=seed)
    close, far = (flow.chance(away / 100, 1.0) for away in (near, near + further))
    assert far <= close


def test_what_the_bar_reaches_is_filled_as_ever():
    venue = Venue(arrivals={"intensity": 0, "decay": 1})
    quote = venue.submit(buy(1, LIMIT, limit_price="99"))
    venue.see(flat(99.0))
    assert venue.fills(quote) == [(Decimal(1), Decimal(99))]


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"intensity": 1}, "arrivals.decay"),
        ({"decay": 1}, "arrivals.intensity"),
        ({"intensity": -1, "decay": 1}, "arrivals.intensity"),
        ({"intensity": 1, "decay": 1, "seed": 1.5}, "arrivals.seed"),
        ({"intensity": 1, "decay": 1, "speed": 1}, "arrivals.speed"),
    ],
)
def test_a_wrong_figure_is_named(mapping, field):
    with pytest.raises(InvalidValue, match=field):
        read_arrivals(mapping)
