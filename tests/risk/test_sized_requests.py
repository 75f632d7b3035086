"""What becomes of a strategy's requests where a rule sizes them, on the real engine."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.sim import SimulatedBrokerage
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from risk.sizing.method import Method
from tests.engine.builders import START, buy, fill, request, sell, update
from tests.risk.sizes import CASH, denied, filled, method, run_of, see
from trading.backtest import Curve, drive
from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.linked import bracket, one_cancels_other, one_triggers_other
from trading.engine.orders import OrderRequest, ReplaceRequest, Side
from trading.engine.records import Kind
from trading.engine.updates import UpdateKind
from trading.strategies import STRATEGIES

D = Decimal
TENTH = method(method="fixed_fraction", fraction="0.1")
SEVEN = method(method="fixed_quantity", qty=7)
#: Has no edge to bet on: every order that opens is denied.
NOTHING = method(method="fixed_fraction", fraction="0.000001")


def test_an_exit_closes_what_is_held_as_asked() -> None:
    run = run_of(TENTH, [buy(1)], [sell(40)], [sell(60)])
    filled(run, see(run)[0])
    part = see(run)[0]
    filled(run, part)
    rest = see(run)[0]
    assert [(one.qty, one.sizing) for one in (part, rest)] == [
        (D(40), "closes what is held, as asked"),
        (D(60), "closes what is held, as asked"),
    ]
    assert rest.signal == "flat"


def test_a_reversal_closes_what_is_held_and_opens_what_the_rule_gives() -> None:
    run = run_of(SEVEN, [buy(1)], [sell(1000)])
    filled(run, see(run)[0])
    (order,) = see(run)
    assert (order.qty, order.sizing) == (D(14), "closes 7 and opens fixed quantity 7")


def test_a_reversal_that_may_open_nothing_still_closes() -> None:
    target = method(method="volatility_target", annual_vol="0.1", window=3, initial=1)
    run = run_of(target, [buy(1)], [], [], [sell(5000)])
    filled(run, see(run)[0])
    orders = [order for minute in range(1, 4) for order in see(run, minute=minute)]
    (order,) = orders
    assert order.qty == D(1000)
    assert order.sizing.startswith("closes what is held and opens nothing: SPY has not moved over 3 returns")


def test_reduce_only_orders_are_left_alone() -> None:
    exit_ = OrderRequest(symbol="SPY", side=Side.SELL, qty=D(500), reduce_only=True)
    run = run_of(TENTH, [buy(1)], [exit_])
    filled(run, see(run)[0])
    (order,) = see(run)
    assert (order.qty, order.sizing) == (D(500), "")


def test_a_bracket_is_scaled_with_its_entry() -> None:
    run = run_of(TENTH, [bracket(buy(30), D(110), D(90))])
    entry, target, stop = see(run)
    assert [one.qty for one in (entry, target, stop)] == [D(100)] * 3
    assert entry.sizing == "0.1 of equity"


def test_what_waits_for_a_part_of_an_order_stays_that_part_in_whole_units() -> None:
    run = run_of(SEVEN, [one_triggers_other(buy(100), sell(50, limit="110"))])
    assert [one.qty for one in see(run)] == [D(7), D(3)]


def test_alternatives_keep_sharing_one_quantity() -> None:
    run = run_of(SEVEN, [one_cancels_other(buy(100, limit="90"), buy(100, limit="95"))])
    assert [one.qty for one in see(run)] == [D(7), D(7)]


def test_linked_orders_are_denied_together_where_nothing_may_be_opened() -> None:
    run = run_of(NOTHING, [bracket(buy(30), D(110), D(90))])
    assert not see(run)
    denials = [record for record in run.records if record.kind is Kind.ORDER_DENIED]
    assert len(denials) == 3
    assert denied(run)["code"] == "size_zero"


def test_a_replacement_keeps_the_remaining_quantity() -> None:
    run = run_of(SEVEN, [buy(100, limit="90")], [ReplaceRequest(order_id="run-1", limit_price=D(91))])
    (order,) = see(run)
    run.on_update(fill(order, 3, "90", "x-1"))
    (effect,) = run.on_bar(Bar("SPY", START, 100.0, 100.0, 100.0, 100.0, 1.0))
    assert effect.by.qty == D(4)


def test_a_rule_never_turns_a_bad_quantity_into_a_good_one() -> None:
    run = run_of(TENTH, [buy("NaN")], [buy("-5")], [buy(0)])
    for _ in range(3):
        assert not see(run)
        assert denied(run)["code"] == "bad_quantity"


def test_a_symbol_without_a_price_is_denied() -> None:
    run = run_of(TENTH, [buy(1, "BAC")], universe=["SPY", "BAC"])
    assert not see(run)
    assert denied(run)["code"] == "no_price"


def test_a_foreign_symbol_stays_a_fault_of_the_strategy() -> None:
    with pytest.raises(InvalidValue, match="not in the universe"):
        see(run_of(TENTH, [buy(1, "BAC")]))


def test_what_is_sized_is_checked_as_if_the_strategy_had_asked_for_it() -> None:
    run = run_of(method(method="fixed_quantity", qty=5000), [buy(1)])
    assert not see(run)
    assert denied(run)["code"] == "buying_power"


@pytest.mark.parametrize(
    ("sizing", "told"),
    [(method(method="fixed_quantity", qty=5000), "fixed quantity 5000"), (NOTHING, "0.000001 of equity: 0.001 units")],
)
def test_the_sentence_stands_on_a_denied_order_too(sizing: Method, told: str) -> None:
    run = run_of(sizing, [buy(1)])
    see(run)
    assert run.records[-1].order.sizing.startswith(told)


def test_a_reversal_may_use_the_leverage_of_what_it_closes() -> None:
    run = run_of(method(method="fixed_fraction", fraction="0.4", max_leverage="0.5"), [buy(1)], [sell(9999)])
    filled(run, see(run)[0])
    (order,) = see(run)
    assert (order.qty, order.sizing) == (D(800), "closes 400 and opens 0.4 of equity")


SIZINGS = st.sampled_from(
    [
        TENTH,
        method(method="fixed_fraction", fraction=1),
        method(method="fixed_fraction", fraction="0.7", max_leverage="0.6"),
        method(method="kelly", kind="discrete", initial="0.3", cap="0.2", min_trades=3),
        method(method="volatility_target", annual_vol=1, window=2, initial="0.5"),
    ]
)
#: What part of the equity a position may be worth at most.
MOST = {
    "fixed_fraction": lambda sizing: sizing.fraction,
    "kelly": lambda sizing: sizing.cap,
    "volatility_target": lambda sizing: sizing.cap,
}
ASKED = st.tuples(
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 3000),
    st.none() | st.integers(50, 150),
    st.integers(50, 150),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(SIZINGS, st.lists(ASKED, max_size=15))
def test_no_sequence_of_requests_opens_more_than_the_rule_and_the_buying_power_allow(sizing, asked) -> None:
    most = min(MOST[sizing.method](sizing), sizing.max_leverage)
    steps = [[request(side, qty, limit=None if limit is None else str(limit))] for side, qty, limit, _, _ in asked]
    run = run_of(sizing, *steps)
    for minute, (side, qty, _, close, fills) in enumerate(asked):
        held = run.qty("SPY")
        against = max(-held if side is Side.BUY else held, D(0))
        orders = see(run, close=float(close), minute=minute)
        for order in orders:
            opened = order.qty - against
            if qty <= against:
                assert order.qty == D(qty)
            elif opened:
                assert 0 < opened * close <= most * run.equity
                assert run.buying_power >= 0
            if fills:
                filled(run, order, str(order.limit_price or close))
            else:
                run.on_update(update(UpdateKind.CANCELLED, order))
        if not orders and qty > against:
            assert denied(run)["code"] in {"size_zero", "no_edge", "no_volatility", "buying_power"}


def _waves(count: int) -> list[Bar]:
    prices = [100 + (n % 40 if n % 80 < 40 else 40 - n % 40) * 0.5 + (n * 7 % 5) * 0.1 for n in range(count)]
    return [Bar("SPY", START + n * 60 * NANOS_PER_SECOND, p, p + 0.2, p - 0.2, p, 1e6) for n, p in enumerate(prices)]


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("SmaCrossStrategy", {"fast": 3, "slow": 8}),
        ("MeanReversionStrategy", {"window": 10, "entry_z": 1.0, "allow_short": True}),
        ("BreakoutStrategy", {"channel": 5, "atr": 5, "allow_short": True}),
    ],
)
def test_the_strategies_close_all_that_was_sized(name: str, kwargs: dict[str, object]) -> None:
    sizing = method(method="fixed_fraction", fraction="0.3")
    agent = RiskManagementAgent(RiskLimits(), CASH, sizing)
    run = Engine("run", STRATEGIES[name](**kwargs), agent, ["SPY"], CASH)
    drive(run, SimulatedBrokerage(), iter(_waves(400)), Curve())
    fills = [record.fill for record in run.records if record.fill is not None]
    assert len(fills) >= 10
    assert D(0) in [one.position_qty for one in fills]
    for one in fills:
        worth = one.position_qty * one.price
        assert one.position_qty not in (100, -100)
        assert abs(worth) <= D("0.31") * (one.cash + worth)


@pytest.mark.parametrize("name", ["MomentumStrategy", "AvellanedaStoikovStrategy", "LucicTseOptionsStrategy"])
def test_strategies_whose_quantities_follow_from_each_other_size_themselves(name: str) -> None:
    assert STRATEGIES[name].sizes_itself
