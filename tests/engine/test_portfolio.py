from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.engine.orders import Side
from trading.engine.portfolio import Portfolio

PRICES = st.decimals(min_value="0.01", max_value="5000", places=2)
QUANTITIES = st.decimals(min_value="0.001", max_value="1000", places=3)
TRADES = st.lists(
    st.tuples(st.sampled_from(["SPY", "BAC"]), st.sampled_from(Side), QUANTITIES, PRICES, st.decimals(0, 5, places=2)),
    max_size=40,
)


def test_average_price_and_profit_of_a_round_trip():
    book = Portfolio(Decimal(10_000))
    book.trade("SPY", Side.BUY, Decimal(10), Decimal("100"), Decimal("1"))
    book.trade("SPY", Side.BUY, Decimal(30), Decimal("104"), Decimal("1"))
    position = book.trade("SPY", Side.SELL, Decimal(20), Decimal("110"), Decimal("1"))
    assert position.qty == 20
    assert position.avg_price == 103
    assert position.realized_pnl == 140
    assert book.cash == 10_000 - 1000 - 3120 + 2200 - 3


def test_a_short_earns_when_the_price_falls():
    book = Portfolio(Decimal(10_000))
    position = book.trade("SPY", Side.SELL, Decimal(10), Decimal("100"), Decimal(0))
    position.last = 90.0
    assert position.unrealized_pnl == 100
    assert book.equity == 10_100
    book.trade("SPY", Side.BUY, Decimal(10), Decimal("90"), Decimal(0))
    assert position.realized_pnl == 100
    assert position.cost == 0


def test_turning_over_closes_the_old_and_opens_the_new():
    book = Portfolio(Decimal(10_000))
    book.trade("SPY", Side.BUY, Decimal(10), Decimal("100"), Decimal(0))
    position = book.trade("SPY", Side.SELL, Decimal(15), Decimal("110"), Decimal(0))
    assert position.qty == -5
    assert position.avg_price == 110
    assert position.realized_pnl == 100


@given(TRADES, PRICES, PRICES)
def test_profit_is_the_same_however_it_is_computed(trades, last_spy, last_bac):
    book = Portfolio(Decimal(100_000))
    flow = Decimal(0)
    for symbol, side, qty, price, fee in trades:
        book.trade(symbol, side, qty, price, fee)
        flow += (-qty if side is Side.BUY else qty) * price - fee
    for symbol, last in (("SPY", last_spy), ("BAC", last_bac)):
        book.position(symbol).last = float(last)
    assert book.cash == 100_000 + flow
    assert book.equity - 100_000 == book.realized_pnl + book.unrealized_pnl - book.fees


@given(TRADES)
def test_a_position_is_the_sum_of_its_trades(trades):
    book = Portfolio(Decimal(100_000))
    for symbol, side, qty, price, fee in trades:
        book.trade(symbol, side, qty, price, fee)
    for symbol, position in book.positions.items():
        signed = sum(
            (qty if side is Side.BUY else -qty for name, side, qty, _, _ in trades if name == symbol), Decimal(0)
        )
        assert position.qty == signed
        if not signed:
            assert position.cost == 0


@given(TRADES, st.lists(st.tuples(st.sampled_from(["SPY", "BAC"]), PRICES), max_size=20))
def test_the_running_equity_agrees_with_the_exact_equity(trades, closes):
    book = Portfolio(Decimal(100_000))
    for symbol, side, qty, price, fee in trades:
        book.trade(symbol, side, qty, price, fee)
    for symbol, close in closes:
        position = book.position(symbol)
        book.approximate_equity += position.units * (float(close) - position.last)
        position.last = float(close)
    assert abs(Decimal(book.approximate_equity) - book.equity) < Decimal("0.001")
