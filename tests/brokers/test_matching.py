from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.matching import fees, fill_price, no_slippage, slippage_bps, tick_of
from tests.engine.builders import Script, bar, buy, engine, sell
from trading.engine.orders import OrderType, Side


def order(request):
    (effect,) = engine(Script([request])).on_bar(bar(100.0))
    return effect.order


def test_a_market_order_takes_the_open():
    assert fill_price(order(buy(1)), bar(101.0, open=100.5), no_slippage) == Decimal("100.5")


@pytest.mark.parametrize(
    ("limit", "open", "low", "price"),
    [
        ("100", 101.0, 99.5, "100"),
        ("100", 99.0, 98.0, "99.0"),
        ("100", 101.0, 100.0, "100"),
        ("100", 101.0, 100.01, None),
    ],
)
def test_a_buy_limit_takes_a_better_open_else_its_limit_when_touched(limit, open, low, price):
    traded = fill_price(order(buy(1, limit=limit)), bar(101.0, open=open, low=low), no_slippage)
    assert traded == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    ("limit", "open", "high", "price"),
    [("100", 99.0, 100.5, "100"), ("100", 102.0, 103.0, "102.0"), ("100", 99.0, 99.99, None)],
)
def test_a_sell_limit_mirrors_it(limit, open, high, price):
    traded = fill_price(order(sell(1, limit=limit)), bar(99.0, open=open, high=high), no_slippage)
    assert traded == (None if price is None else Decimal(price))


def test_slippage_is_against_the_trader_and_on_the_tick():
    slip = slippage_bps(Decimal(5))
    assert slip(Side.BUY, Decimal("100.00")) == Decimal("100.05")
    assert slip(Side.SELL, Decimal("100.00")) == Decimal("99.95")
    assert slip(Side.BUY, Decimal("33.33")) == Decimal("33.35")


def test_slippage_never_makes_a_limit_worse_than_its_limit():
    slip = slippage_bps(Decimal(100))
    assert fill_price(order(buy(1, limit="100")), bar(99.0, open=99.5), slip) == Decimal("100")


def test_fees_add_up_and_round_up_to_the_cent():
    charge = fees(per_order=Decimal(1), per_share=Decimal("0.005"), bps=Decimal(1))
    assert charge(Side.BUY, Decimal(101), Decimal("10")) == Decimal("1.61")


def test_the_tick_is_a_cent_from_a_dollar_on():
    assert tick_of(Decimal("1")) == Decimal("0.01")
    assert tick_of(Decimal("0.99")) == Decimal("0.0001")


@given(
    st.sampled_from(Side),
    st.decimals("0.01", 1000, places=2),
    st.floats(1, 1000).map(lambda x: round(x, 2)),
    st.floats(0, 10).map(lambda x: round(x, 2)),
    st.floats(0, 10).map(lambda x: round(x, 2)),
)
def test_a_limit_never_fills_worse_than_its_limit_nor_outside_the_bar(side, limit, opening, up, down):
    request = buy(1, limit=str(limit)) if side is Side.BUY else sell(1, limit=str(limit))
    high, low = round(opening + up, 2), round(max(opening - down, 0.01), 2)
    traded = fill_price(order(request), bar(opening, open=opening, high=high, low=low), no_slippage)
    if traded is not None:
        assert traded <= limit if side is Side.BUY else traded >= limit
        assert Decimal(repr(low)) <= traded <= Decimal(repr(high))


def test_order_types_are_those_of_the_matcher():
    assert set(OrderType) == {OrderType.MARKET, OrderType.LIMIT}
