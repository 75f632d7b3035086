"""Slippage and commissions, each against a figure worked by hand, then at the venue."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.executions import Execution
from brokers.fees import commission, read_fees
from brokers.slippage import Slippage, Volume, read_slippage
from tests.brokers.builders import Venue, bar, buy, flat, sell
from trading.engine.errors import InvalidValue
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderType, TimeInForce

SPY, BTC, OPTION = instrument_of("SPY"), instrument_of("BTC/USD"), instrument_of("TWX140621C00070000")


def worse(model: Slippage, price: str, buy: bool, instrument=SPY, quoted=False, share="0") -> Decimal:
    return model.price(Decimal(price), buy, instrument, quoted, Decimal(share))


def test_basis_points_are_against_the_trader_and_on_the_tick():
    model = Slippage(bps=Decimal(5))
    assert worse(model, "100.00", True) == Decimal("100.05")
    assert worse(model, "100.00", False) == Decimal("99.95")
    assert worse(model, "33.33", True) == Decimal("33.35")
    assert worse(model, "33.33", False) == Decimal("33.31")


def test_each_side_pays_half_of_the_spread_unless_the_bar_is_quoted():
    model = Slippage(spread=Decimal("0.10"))
    assert (worse(model, "10.00", True), worse(model, "10.00", False)) == (Decimal("10.05"), Decimal("9.95"))
    assert worse(model, "10.00", True, quoted=True) == Decimal("10.00")


def test_impact_grows_with_the_square_of_the_share_of_volume():
    # 100 x 0.1 x 0.025 x 0.025 = 0.00625, up to the next cent.
    model = Slippage(volume_share=Decimal("0.025"), impact=Decimal("0.1"))
    assert worse(model, "100.00", True, share="0.025") == Decimal("100.01")
    # 100 x 0.1 x 0.2 x 0.2 = 0.4.
    assert worse(model, "100.00", False, share="0.2") == Decimal("99.60")


def test_the_parts_of_a_model_add_up():
    # 50 x (0.0010 + 0.5 x 0.01) + 0.02 = 0.32.
    model = Slippage(bps=Decimal(10), spread=Decimal("0.04"), volume_share=Decimal("0.1"), impact=Decimal("0.5"))
    assert worse(model, "50.00", True, share="0.1") == Decimal("50.32")


def test_ticks_are_the_instruments():
    model = Slippage(bps=Decimal(1))
    assert worse(model, "0.5000", True) == Decimal("0.5001")
    assert worse(model, "1.00", True, OPTION) == Decimal("1.01")
    assert worse(model, "30000.12345678", True, BTC) == Decimal("30003.12346913")


def test_the_worst_price_of_a_sale_is_one_tick():
    assert worse(Slippage(spread=Decimal(4)), "1.00", False) == Decimal("0.0001")


def test_volume_is_shared_by_all_orders_in_whole_lots():
    volume = Volume(1_010.0, Decimal("0.025"))
    assert volume.allowed(Decimal(100), SPY) == 25
    volume.take(Decimal(20))
    assert volume.allowed(Decimal(100), SPY) == 5
    assert volume.allowed(Decimal("7.5"), SPY) == Decimal("5.25")
    assert volume.allowed(Decimal(3), SPY) == 3


def test_a_large_order_is_filled_over_several_bars_and_moves_the_price():
    venue = Venue(slippage={"volume_share": "0.1", "impact": "0.1"})
    order = venue.submit(buy(250))
    venue.see(flat(100.0, 1), flat(100.0, 2), flat(100.0, 3))
    # A bar of 1,000 gives 100 at 100 x (1 + 0.1 x 0.01); the last 50 cost 100 x 0.1 x 0.0025 = 0.025 more.
    assert venue.fills(order) == [
        (Decimal(100), Decimal("100.10")),
        (Decimal(100), Decimal("100.10")),
        (Decimal(50), Decimal("100.03")),
    ]


def test_what_one_order_takes_of_a_bar_another_does_not_get():
    venue = Venue(slippage={"volume_share": "0.1"})
    first, second = venue.submit(buy(80)), venue.submit(sell(80))
    venue.see(flat(100.0, 1))
    assert [qty for qty, _ in venue.fills(first) + venue.fills(second)] == [80, 20]


def test_fill_or_kill_wants_all_of_it_and_immediate_or_cancel_takes_what_there_is():
    venue = Venue(slippage={"volume_share": "0.1"})
    fok = venue.submit(buy(101, time_in_force=TimeInForce.FOK))
    ioc = venue.submit(buy(101, time_in_force=TimeInForce.IOC))
    venue.see(flat(100.0, 1))
    assert venue.kinds(fok) == ["accepted", "cancelled"]
    assert venue.kinds(ioc) == ["accepted", "fill", "cancelled"]
    assert venue.fills(ioc) == [(Decimal(100), Decimal("100.0"))]


def test_slippage_never_makes_a_limit_worse_than_its_limit():
    venue = Venue(slippage={"bps": 100})
    order = venue.submit(buy(1, OrderType.LIMIT, limit_price="100"))
    venue.see(bar(99.5, 99.5, 98, 99))
    assert venue.fills(order) == [(Decimal(1), Decimal("100"))]


def test_a_quoted_close_fills_at_the_quote():
    venue = Venue(fill="same_close", slippage={"spread": "1"})
    venue.see(flat(10.0, 0, bid=9.9, ask=10.1))
    bought, sold = venue.submit(buy(1)), venue.submit(sell(1))
    assert venue.fills(bought) == [(Decimal(1), Decimal("10.10"))]
    assert venue.fills(sold) == [(Decimal(1), Decimal("9.90"))]


@given(
    st.decimals("0.01", 1000, places=2),
    st.decimals(0, 500, places=1),
    st.decimals(0, 1, places=2),
    st.decimals(0, 1, places=3),
)
def test_no_model_ever_helps_the_trader(price, bps, spread, share):
    model = Slippage(bps=bps, spread=spread, volume_share=Decimal(1), impact=Decimal("0.1"))
    assert model.price(price, True, SPY, False, share) >= price
    assert model.price(price, False, SPY, False, share) <= price


def test_commissions_add_up_and_round_up_to_the_cent():
    charge = commission(per_order=Decimal(1), per_share=Decimal("0.005"), bps=Decimal(1))
    first = Execution(SPY, True, Decimal(101), Decimal(10), 0, first=True)
    # 1 + 101 x 0.005 + 1010 x 0.0001 = 1.606.
    assert charge(first) == Decimal("1.61")
    assert charge(first._replace(first=False)) == Decimal("0.61")


def test_basis_points_of_an_option_are_of_the_multiplied_premium():
    charge = commission(bps=Decimal(10))
    assert charge(Execution(OPTION, True, Decimal(2), Decimal("1.50"), 0, first=True)) == Decimal("0.30")


def test_an_order_that_fills_in_parts_pays_per_order_once():
    venue = Venue(fees={"per_order": 1}, slippage={"volume_share": "0.1"})
    venue.submit(buy(200))
    venue.see(flat(100.0, 1), flat(100.0, 2))
    assert venue.sim.query_account().cash == 100_000 - 200 * 100 - 1


def test_regulatory_fees_come_on_top():
    # 50,000 x 8.00 / 1,000,000 = 0.40 and 500 x 0.000145 = 0.0725, in November 2023.
    venue = Venue(fees={"per_order": 1, "us_regulatory": True})
    venue.hold(500)
    order = venue.submit(sell(500))
    venue.see(flat(100.0, 1))
    assert venue.updates(order)[-1].fee == Decimal("1.48")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"volume_share": 2}, "volume_share must be more than 0 and at most 1"),
        ({"volume_share": 0}, "volume_share"),
        ({"impact": "0.1"}, "give slippage.volume_share"),
        ({"bps": "many"}, "slippage.bps must be a number"),
        ({"pips": 1}, "slippage.pips is not known"),
        ("some", "slippage must be none or a mapping"),
    ],
)
def test_a_wrong_slippage_is_named(given, message):
    with pytest.raises(InvalidValue, match=message):
        read_slippage(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"us_regulatory": "yes"}, "true or false"), ({"per_lot": 1}, "fees.per_lot"), ("low", "fees must be")],
)
def test_wrong_fees_are_named(given, message):
    with pytest.raises(InvalidValue, match=message):
        read_fees(given)
