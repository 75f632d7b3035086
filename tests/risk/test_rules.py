"""What the pre-trade check lets through, on the real engine."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from risk.manager import RiskManager
from tests.engine.builders import START, Script, bar, buy, engine, fill, request, sell, update
from trading.engine.effects import Submit
from trading.engine.engine import Engine
from trading.engine.linked import bracket, one_cancels_other, one_triggers_other
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.records import Kind
from trading.engine.updates import UpdateKind

D = Decimal


def run_of(*steps: list[OrderRequest], universe: tuple[str, ...] = ("SPY",), **limits: object) -> Engine:
    check = RiskManager(RiskLimits(**limits)).check_pretrade
    return engine(Script(*steps), universe=universe, cash="10000", check=check)


def submit(run: Engine, close: float = 100.0, symbol: str = "SPY") -> list[OrderRecord]:
    """Let the run see a bar; the orders that may leave, as accepted by the venue."""
    orders = [effect.order for effect in run.on_bar(bar(close, symbol=symbol)) if isinstance(effect, Submit)]
    for order in orders:
        run.on_submitted(order)
        run.on_update(update(UpdateKind.ACCEPTED, order))
    return orders


def fill_all(run: Engine, orders: list[OrderRecord], price: str = "100") -> None:
    for order in orders:
        run.on_update(fill(order, order.remaining_qty, price, f"x-{order.id}"))


def denial_of(run: Engine) -> str:
    return str(denied(run)["code"])


def denied(run: Engine) -> dict[str, str]:
    """What the ledger would keep of the last denial."""
    return next(record.data or {} for record in reversed(run.records) if record.kind is Kind.ORDER_DENIED)


@pytest.mark.parametrize("qty", ["0", "-1", "NaN", "Infinity", "-Infinity"])
def test_a_quantity_that_is_no_quantity_is_denied(qty: str) -> None:
    run = run_of([buy(qty)])
    assert not submit(run)
    assert denial_of(run) == "bad_quantity"


@pytest.mark.parametrize("price", ["0", "-5", "NaN", "Infinity"])
def test_a_limit_price_that_is_no_price_is_denied(price: str) -> None:
    run = run_of([buy("1", limit=price)])
    assert not submit(run)
    assert denial_of(run) == "bad_limit_price"


def test_a_limit_order_without_a_price_is_denied() -> None:
    run = run_of([OrderRequest(symbol="SPY", side=Side.BUY, qty=D(1), type=OrderType.LIMIT)])
    assert not submit(run)
    assert denial_of(run) == "limit_price_missing"


def test_a_market_order_with_a_price_is_denied() -> None:
    run = run_of([OrderRequest(symbol="SPY", side=Side.BUY, qty=D(1), limit_price=D(1))])
    assert not submit(run)
    assert denial_of(run) == "limit_price_unexpected"


def test_a_symbol_without_a_price_yet_is_denied() -> None:
    run = run_of([buy("1", "BAC")], universe=("SPY", "BAC"))
    assert not submit(run)
    assert denial_of(run) == "no_price"


def test_cash_is_enough_to_the_cent_and_no_further() -> None:
    assert submit(run_of([buy("100")]))
    run = run_of([buy("100.01")])
    assert not submit(run)
    assert denial_of(run) == "buying_power"


def test_open_orders_have_spent_their_cash_already() -> None:
    run = run_of([buy("60", limit="90"), buy("60", limit="90")])
    assert len(submit(run)) == 1
    assert denial_of(run) == "buying_power"


def test_a_short_locks_its_proceeds_and_as_much_again() -> None:
    run = run_of([sell("60")], [sell("41")], [sell("40")])
    fill_all(run, submit(run))
    assert not submit(run)
    assert denial_of(run) == "buying_power"
    assert submit(run)


def test_a_rising_short_uses_up_buying_power() -> None:
    run = run_of([sell("50")], [], [buy("1", "BAC")], universe=("SPY", "BAC"))
    fill_all(run, submit(run))
    submit(run, 150.0)
    assert not submit(run, 100.0, "BAC")
    assert denial_of(run) == "buying_power"


def test_covering_a_short_without_cash_passes() -> None:
    run = run_of([sell("100")], [buy("100")])
    fill_all(run, submit(run))
    assert submit(run, 180.0)


def test_what_turns_a_position_over_pays_for_the_new_side() -> None:
    run = run_of([buy("100")], [sell("201")], [sell("100")])
    fill_all(run, submit(run))
    assert not submit(run)
    assert denial_of(run) == "buying_power"
    assert submit(run)


@pytest.mark.parametrize(
    ("limits", "order", "code"),
    [
        ({"max_order_qty": 10}, buy("11"), "max_order_qty"),
        ({"max_order_value": 1000}, buy("11"), "max_order_value"),
        ({"max_order_value": 1000}, sell("5", limit="201"), "max_order_value"),
        ({"max_position_value": 1000}, buy("11"), "max_position_value"),
        ({"max_position_value": 1000}, sell("11"), "max_position_value"),
    ],
)
def test_an_order_over_its_limit_is_denied_with_figure_and_limit(
    limits: dict[str, object], order: OrderRequest, code: str
) -> None:
    run = run_of([order], **limits)
    assert not submit(run)
    assert denial_of(run) == code
    assert D(denied(run)["figure"]) > D(denied(run)["limit"])


@pytest.mark.parametrize("limits", [{"max_order_qty": 10}, {"max_order_value": 1000}, {"max_position_value": 1000}])
def test_an_order_at_its_limit_passes(limits: dict[str, object]) -> None:
    assert submit(run_of([buy("10")], **limits))


def test_open_orders_count_towards_the_position() -> None:
    run = run_of([buy("6", limit="90"), buy("5", limit="90")], max_position_value=1000)
    assert len(submit(run)) == 1
    assert denial_of(run) == "max_position_value"


def test_open_orders_are_counted() -> None:
    run = run_of([buy("1", limit="90"), buy("1", limit="90"), buy("1", limit="90")], max_open_orders=2)
    assert len(submit(run)) == 2
    assert denial_of(run) == "max_open_orders"


quantities = st.decimals(min_value="0.01", max_value="80", places=2)
prices = st.decimals(min_value="50", max_value="150", places=2)


@given(st.lists(st.tuples(quantities, prices, st.booleans()), max_size=20))
def test_no_sequence_of_accepted_buys_spends_more_than_the_cash(steps: list[tuple[Decimal, Decimal, bool]]) -> None:
    run = run_of(*[[request(Side.BUY, qty, limit=str(price))] for qty, price, _ in steps])
    for _, price, fills_now in steps:
        orders = submit(run, float(price))
        if fills_now:
            fill_all(run, orders, str(price))
    for order in run.open_orders():
        run.on_update(fill(order, order.remaining_qty, str(order.limit_price), f"late-{order.id}"))
    assert run.cash >= 0


@given(st.booleans(), quantities, prices, st.decimals(min_value="0.01", max_value="1", places=2))
def test_an_order_that_only_reduces_passes_every_limit(long: bool, qty: Decimal, price: Decimal, part: Decimal) -> None:
    opening, closing = (Side.BUY, Side.SELL) if long else (Side.SELL, Side.BUY)
    limits = RiskLimits(max_order_qty="0.001", max_order_value="0.01", max_position_value="0.01", max_open_orders=1)
    run = engine(Script([request(opening, qty)], [request(closing, (qty * part).quantize(D("0.0001")))]), cash="10000")
    fill_all(run, submit(run))
    run._check = RiskManager(limits).check_pretrade
    assert submit(run, float(price))


def test_nothing_new_is_risked_in_a_symbol_while_the_fate_of_an_order_is_unknown() -> None:
    run = run_of([buy("1", limit="90")], [buy("1")], [buy("1", symbol="BAC")], universe=("SPY", "BAC"))
    (lost,) = submit(run)
    lost.status = OrderStatus.SUBMITTED
    run.on_update(update(UpdateKind.UNKNOWN, lost))
    assert not submit(run)
    assert denial_of(run) == "unknown_order"
    assert submit(run, symbol="BAC")


def test_nor_while_a_cancel_of_such_an_order_is_under_way() -> None:
    run = run_of([buy("1", limit="90")], [buy("1")])
    (lost,) = submit(run)
    lost.status = OrderStatus.SUBMITTED
    run.on_update(update(UpdateKind.UNKNOWN, lost))
    run.withdraw("no more of these")
    assert not submit(run)
    assert denial_of(run) == "unknown_order"


def ask(**terms: object) -> OrderRequest:
    return OrderRequest(**{"symbol": "SPY", "side": Side.BUY, "qty": D(1), **terms})  # type: ignore[arg-type]


LIMIT, STOP, TRAIL = OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP
GTD, CLS = TimeInForce.GTD, TimeInForce.CLS


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (ask(type=STOP), "stop_price_missing"),
        (ask(type=STOP, stop_price=D(90), limit_price=D(90)), "limit_price_unexpected"),
        (ask(type=LIMIT, stop_price=D(90), limit_price=D(90)), "stop_price_unexpected"),
        (ask(type=OrderType.STOP_LIMIT, stop_price=D(90)), "limit_price_missing"),
        (ask(type=STOP, stop_price=D("NaN")), "bad_stop_price"),
        (ask(type=TRAIL), "trail_missing"),
        (ask(type=TRAIL, trail_amount=D(1), trail_percent=D(1)), "trail_twice"),
        (ask(type=TRAIL, trail_amount=D(-1)), "bad_trail_amount"),
        (ask(type=TRAIL, trail_percent=D(100)), "bad_trail_percent"),
        (ask(trail_amount=D(1)), "trail_amount_unexpected"),
        (ask(time_in_force=GTD), "expires_at_missing"),
        (ask(time_in_force=GTD, expires_at=START), "bad_expires_at"),
        (ask(expires_at=START + 1), "expires_at_unexpected"),
        (ask(type=STOP, stop_price=D(90), time_in_force=CLS), "not_in_auctions"),
        (ask(type=LIMIT, limit_price=D("90.005")), "off_tick"),
        (ask(type=STOP, stop_price=D("0.00005")), "off_tick"),
        (ask(symbol="BTC/USD", type=LIMIT, limit_price=D("0.123456789")), "off_tick"),
        (ask(symbol="TWX140621C00070000", qty=D("1.5")), "off_lot"),
    ],
)
def test_an_order_of_a_wrong_shape_is_denied(wanted: OrderRequest, code: str) -> None:
    run = run_of([], [wanted], universe=tuple({"SPY", wanted.symbol}))
    submit(run, symbol=wanted.symbol)
    assert not submit(run)
    assert denial_of(run) == code


@pytest.mark.parametrize(
    "wanted",
    [
        ask(type=STOP, stop_price=D(90)),
        ask(type=OrderType.STOP_LIMIT, stop_price=D(90), limit_price=D("90.05")),
        ask(type=TRAIL, trail_amount=D("0.123")),
        ask(type=TRAIL, trail_percent=D(2)),
        ask(time_in_force=GTD, expires_at=START + 1),
        ask(type=LIMIT, limit_price=D("0.9999"), time_in_force=CLS),
        ask(qty=D("0.00000001")),
    ],
)
def test_an_order_of_a_right_shape_passes(wanted: OrderRequest) -> None:
    assert len(submit(run_of([wanted]))) == 1


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (one_cancels_other(buy(1, limit="90"), buy(2, limit="80")), "linked_quantity"),
        (one_cancels_other(buy(1), buy(1, "BAC")), "linked_symbol"),
        (one_triggers_other(buy(1), sell(2)), "linked_quantity"),
        (one_triggers_other(buy(1), ask(reduce_only=True)), "linked_side"),
    ],
)
def test_orders_that_cannot_be_linked_are_denied_together(wanted: OrderRequest, code: str) -> None:
    run = run_of([], [wanted], universe=("SPY", "BAC"))
    submit(run, symbol="BAC")
    assert not submit(run)
    assert {(record.data or {})["code"] for record in run.records} == {code, "linked"}


def test_a_bracket_needs_no_more_than_its_entry() -> None:
    assert len(submit(run_of([bracket(buy(100, limit="100"), D(110), D(95))]))) == 1


def test_a_cash_account_sells_nothing_short() -> None:
    agent = RiskManagementAgent(RiskLimits(), D(10_000))
    run = Engine("run", Script([sell(1)]), agent, ("SPY",), D(10_000), account=AccountType.CASH)
    assert not submit(run)
    assert denial_of(run) == "short_in_cash_account"


def test_a_margin_account_buys_for_twice_its_equity_and_no_more() -> None:
    agent = RiskManagementAgent(RiskLimits(), D(10_000))
    run = Engine("run", Script([buy(200)], [buy(1)]), agent, ("SPY",), D(10_000), account=AccountType.MARGIN)
    fill_all(run, submit(run))
    assert run.cash == -10_000
    assert not submit(run)
    assert denied(run)["figure"] == "50.00"


def test_a_short_option_needs_the_price_of_its_underlying() -> None:
    option = "TWX140621C00070000"
    steps = [sell(1, option)], [], [sell(1, option)]
    run = run_of(*steps, universe=("TWX", option))
    assert not submit(run, 1.5, option)
    assert denial_of(run) == "no_underlying_price"
    submit(run, 68.0, "TWX")
    assert [order.collateral for order in submit(run, 1.5, option)] == [6_800]


def test_limits_count_an_options_multiplier() -> None:
    option = "TWX140621C00070000"
    run = run_of([buy(2, option)], universe=("TWX", option), max_order_value="299")
    assert not submit(run, 1.5, option)
    assert denied(run)["figure"] == "300.0"
