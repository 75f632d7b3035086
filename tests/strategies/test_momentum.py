"""Cross-sectional momentum: who is held, when it is decided, and that sales pay for purchases."""

from decimal import Decimal

import pytest

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import bar as bar_of
from tests.engine.builders import engine
from trading.backtest import Curve, drive
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderStatus, Side
from trading.engine.records import Kind
from trading.strategies.momentum import MomentumStrategy

A, B, C = "AAA", "BBB", "CCC"


def stamps(**closes):
    """Bars stamp by stamp, symbol by symbol; None where a symbol has no bar."""
    for minute, row in enumerate(zip(*closes.values(), strict=True)):
        for symbol, close in zip(closes, row, strict=True):
            if close is not None:
                yield bar_of(close, minute=minute, symbol=symbol)


def ran(bars, **kwargs):
    bars = list(bars)
    machine = engine(MomentumStrategy(**{"lookback": 2, "every": 3, "top": 1, **kwargs}), universe=(A, B, C))
    drive(machine, SimulatedBrokerage(), bars, Curve())
    return machine, {time: minute for minute, time in enumerate(sorted({bar.time for bar in bars}))}


def filled(machine, minutes):
    return [
        (minutes[record.time], record.order.symbol, record.order.side, record.fill.qty)
        for record in machine.records
        if record.kind is Kind.ORDER_FILLED
    ]


def test_the_symbol_that_has_risen_most_is_bought_and_sold_when_another_has():
    """95% of 100,000 buys 863 at 110 at the third stamp; at the sixth BBB leads, and is bought once AAA is sold."""
    machine, minutes = ran(
        stamps(
            AAA=[100.0, 105.0, 110.0, 110.0, 110.0, 110.0, 110.0, 110.0],
            BBB=[100.0, 100.0, 100.0, 100.0, 120.0, 125.0, 125.0, 125.0],
            CCC=[100.0, 101.0, 102.0, 102.0, 102.0, 102.0, 102.0, 102.0],
        )
    )
    assert filled(machine, minutes) == [
        (3, A, Side.BUY, Decimal(863)),
        (6, A, Side.SELL, Decimal(863)),
        (7, B, Side.BUY, Decimal(760)),
    ]
    assert not any(order.status is OrderStatus.DENIED for order in machine.orders.values())


def test_the_best_share_the_equity_equally():
    machine, minutes = ran(
        stamps(
            AAA=[100.0, 105.0, 110.0, 110.0],
            BBB=[100.0, 100.0, 90.0, 90.0],
            CCC=[50.0, 50.0, 52.0, 52.0],
        ),
        top=2,
        invest=0.5,
    )
    assert filled(machine, minutes) == [(3, A, Side.BUY, Decimal(227)), (3, C, Side.BUY, Decimal(480))]


def test_a_decision_waits_for_the_last_symbol_of_the_stamp():
    """CCC's bar comes last and brings the highest return: without it AAA would lead."""
    machine, minutes = ran(stamps(AAA=[100.0, 105.0, 110.0, 110.0], BBB=[100.0] * 4, CCC=[100.0, 100.0, 190.0, 190.0]))
    assert [(symbol, side) for _, symbol, side, _ in filled(machine, minutes)] == [(C, Side.BUY)]


def test_a_stamp_at_which_a_symbol_has_no_bar_is_over_before_the_next_one():
    machine, minutes = ran(
        stamps(
            AAA=[100.0, 105.0, 110.0, 110.0, 110.0],
            BBB=[100.0, 100.0, 100.0, 100.0, 100.0],
            CCC=[100.0, 100.0, None, 100.0, 100.0],
        )
    )
    assert [fill[:3] for fill in filled(machine, minutes)] == [(4, A, Side.BUY)]


def test_nothing_is_held_before_enough_returns_are_known():
    machine, _ = ran(stamps(AAA=[100.0] * 5, BBB=[100.0] * 5, CCC=[100.0] * 5), lookback=9)
    assert not machine.orders


def test_what_stays_among_the_best_is_kept_at_its_share():
    machine, minutes = ran(
        stamps(AAA=[100.0, 105.0, *[110.0] * 7], BBB=[100.0] * 9, CCC=[100.0] * 9), top=1, invest=0.5
    )
    assert [fill[1:3] for fill in filled(machine, minutes)] == [(A, Side.BUY)]


@pytest.mark.parametrize(("field", "value"), [("lookback", 0), ("every", 0), ("top", 0), ("invest", 0), ("invest", 2)])
def test_a_wrong_setting_is_named(field, value):
    with pytest.raises(InvalidValue, match=field):
        MomentumStrategy(**{field: value})
