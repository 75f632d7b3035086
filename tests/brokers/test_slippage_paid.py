from decimal import Decimal

from tests.brokers.builders import Venue, buy, flat, sell


def test_slippage_paid_is_what_fills_cost_beyond_the_prices_before_it():
    """Two basis points of 100.00 are 0.02 a unit: 10 bought and 10 sold cost 0.40."""
    venue = Venue(slippage={"bps": 2})
    venue.submit(buy(10))
    venue.see(flat(100.0, 1))
    venue.submit(sell(10))
    venue.see(flat(100.0, 2))
    assert venue.sim.slippage_paid == Decimal("0.40")


def test_without_a_model_no_slippage_is_paid():
    venue = Venue()
    venue.submit(buy(10))
    venue.see(flat(101.0, 1))
    assert venue.sim.slippage_paid == 0
