from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import bar, engine
from trading.backtest import Curve, drive
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind
from trading.strategies.limit_ladder import LimitLadderStrategy
from trading.strategies.mean_reversion import MeanReversionStrategy
from trading.strategies.sma_cross import SmaCrossStrategy


def traded(strategy, closes):
    """(bar index of the fill, side) of each fill over bars with these closes."""
    bars = [bar(close, minute=minute) for minute, close in enumerate(closes)]
    machine = engine(strategy, cash="10000000")
    drive(machine, SimulatedBrokerage(starting_cash=10_000_000), bars, Curve())
    index = {one.time: minute for minute, one in enumerate(bars)}
    return [(index[record.time], record.order.side) for record in machine.records if record.kind is Kind.ORDER_FILLED]


CLOSES = st.lists(st.integers(100, 130).map(lambda cents: cents / 10), min_size=1, max_size=60)


@given(CLOSES)
def test_sma_cross_holds_exactly_while_fast_is_above_slow(closes):
    expected, held = [], False
    exact = [Fraction(repr(close)) for close in closes]
    for t in range(4, len(closes) + 1):
        above = sum(exact[t - 2 : t]) / 2 > sum(exact[t - 4 : t]) / 4
        if above != held:
            if t < len(closes):
                expected.append((t, "buy" if above else "sell"))
            held = above
    assert traded(SmaCrossStrategy(2, 4, 10), closes) == expected


def test_equal_averages_are_flat():
    assert traded(SmaCrossStrategy(1, 2, 1), [10.1] * 10) == []


def test_mean_reversion_buys_the_fall_and_sells_the_recovery():
    closes = [10.0, 10.1] * 10 + [9.0, 9.0, 10.2, 10.2]
    assert traded(MeanReversionStrategy(window=10, entry_z=2.0, quantity=5), closes) == [(21, "buy"), (23, "sell")]


def test_mean_reversion_does_nothing_while_the_price_stands_still():
    assert traded(MeanReversionStrategy(window=5), [10.0] * 20) == []


def test_the_ladder_rests_its_levels_below_the_first_price_on_the_tick():
    machine = engine(LimitLadderStrategy(levels=3, step_bps=50, quantity=2))
    effects = machine.on_bar(bar(167.65))
    assert [effect.order.limit_price for effect in effects] == [Decimal("166.81"), Decimal("165.97"), Decimal("165.13")]
    assert machine.on_bar(bar(150.0, minute=1)) == ()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SmaCrossStrategy(30, 10), "fast"),
        (lambda: SmaCrossStrategy(10, 30, 0), "quantity"),
        (lambda: MeanReversionStrategy(window=1), "window"),
        (lambda: MeanReversionStrategy(entry_z=0.5, exit_z=1.0), "entry_z"),
        (lambda: LimitLadderStrategy(levels=0), "levels"),
        (lambda: LimitLadderStrategy(levels=100, step_bps=100), "step_bps"),
    ],
)
def test_a_wrong_setting_is_named(make, field):
    with pytest.raises(InvalidValue, match=field):
        make()
