"""What each limit of a recipe holds back, on the real engine."""

from __future__ import annotations

import msgspec
import pytest

from tests.engine.builders import buy, request, sell
from tests.risk.trading import D, Trader
from trading.engine.linked import bracket, one_cancels_other
from trading.engine.orders import OrderRequest, OrderType, ReplaceRequest, Side
from trading.engine.updates import UpdateKind

BUY, SELL = Side.BUY, Side.SELL


def stop(side: Side, stop_price: str, limit: str | None = None) -> OrderRequest:
    return OrderRequest(
        symbol="SPY",
        side=side,
        qty=D(1),
        type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
        stop_price=D(stop_price),
        limit_price=None if limit is None else D(limit),
    )


@pytest.mark.parametrize(
    ("limits", "wanted", "code", "figure"),
    [
        ({"max_position_qty": 10}, buy("10.5"), "max_position_qty", "10.5"),
        ({"max_position_qty": 10}, sell("11"), "max_position_qty", "11"),
        ({"max_concentration": "0.1"}, buy("101"), "max_concentration", "0.101"),
        ({"max_gross_exposure": 1000}, buy("10.01"), "max_gross_exposure", "1001"),
        ({"max_gross_exposure": 1000}, sell("11"), "max_gross_exposure", "1100"),
        ({"max_net_exposure": 1000}, buy("11"), "max_net_exposure", "1100"),
        ({"max_net_exposure": 1000}, sell("11"), "max_net_exposure", "1100"),
        ({"allow_short": False}, sell("1"), "short_not_allowed", "1"),
    ],
)
def test_an_entry_over_a_limit_is_denied_with_the_figure(
    limits: dict[str, object], wanted: OrderRequest, code: str, figure: str
) -> None:
    run = Trader(**limits)
    assert not run.ask(wanted)
    assert run.code == code
    assert D(run.denied["figure"]) == D(figure)


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"max_position_qty": 10}, buy("10")),
        ({"max_concentration": "0.1"}, buy("100")),
        ({"max_gross_exposure": 1000}, sell("10")),
        ({"max_net_exposure": 1000}, buy("10")),
        ({"allow_short": False}, buy("1")),
    ],
)
def test_an_entry_at_a_limit_passes(limits: dict[str, object], wanted: OrderRequest) -> None:
    assert Trader(**limits).ask(wanted)


@pytest.mark.parametrize(
    ("wanted", "figure"),
    [
        (request(BUY, 1, limit="105.01"), "501.0"),
        (request(SELL, 1, limit="94.99"), "501.0"),
        (stop(BUY, "94.99"), "501.0"),
        (stop(SELL, "105.01"), "501.0"),
        (stop(BUY, "110", limit="115.51"), "500.9"),
        (stop(SELL, "90", limit="85.49"), "501.1"),
    ],
)
def test_a_price_too_far_on_the_side_that_costs_is_denied(wanted: OrderRequest, figure: str) -> None:
    run = Trader(price_collar_bps=500)
    assert not run.ask(wanted)
    assert (run.code, f"{D(run.denied['figure']):.1f}", run.denied["limit"]) == ("price_collar", figure, "500")


@pytest.mark.parametrize(
    "wanted",
    [
        request(BUY, 1, limit="105"),
        request(SELL, 1, limit="95"),
        request(BUY, 1, limit="1"),
        request(SELL, 1, limit="999"),
        stop(BUY, "150"),
        stop(SELL, "50"),
        stop(BUY, "150", limit="157.50"),
        buy(1),
    ],
)
def test_a_price_within_the_collar_or_on_the_other_side_passes(wanted: OrderRequest) -> None:
    assert Trader(price_collar_bps=500).ask(wanted)


def test_the_collar_is_held_against_the_last_price() -> None:
    run = Trader(price_collar_bps=500)
    assert run.ask(request(BUY, 1, limit="110"), close=106.0)


def test_the_collar_holds_each_alternative_of_an_entry() -> None:
    run = Trader(price_collar_bps=100)
    far = request(SELL, 1, limit="90")
    assert not run.ask(msgspec.structs.replace(request(SELL, 1, limit="100"), instead=(far,)))
    assert run.code == "price_collar"


def test_an_exit_at_any_price_passes_the_collar() -> None:
    run = Trader(price_collar_bps=500)
    run.trade(buy(1))
    assert run.ask(request(SELL, 1, limit="1"))


def test_open_orders_of_all_symbols_count_towards_the_gross_exposure() -> None:
    run = Trader(universe=("SPY", "BAC"), max_gross_exposure=2000)
    run.trade(buy(10))
    assert run.ask(sell(5, "BAC", limit="120"))
    assert not run.ask(buy(6, limit="90"))
    assert (run.code, run.denied["figure"]) == ("max_gross_exposure", "2100.0")
    assert run.ask(buy(5, limit="90"))


def test_what_is_sold_offsets_what_is_bought_in_the_net_exposure_alone_once_it_is_filled() -> None:
    run = Trader(universe=("SPY", "BAC"), max_net_exposure=1000)
    run.trade(buy(10))
    (hedge,) = run.ask(sell(10, "BAC", limit="100"))
    assert not run.ask(buy(1))
    run.fill(hedge)
    assert run.trade(buy(10))
    assert not run.ask(buy(1))
    assert run.code == "max_net_exposure"


def test_a_position_may_be_turned_over_up_to_its_limit_on_the_other_side() -> None:
    run = Trader(max_position_qty=10)
    run.trade(buy(10))
    assert not run.ask(sell("20.01"))
    assert run.trade(sell(20))
    assert run.engine.qty("SPY") == -10


def test_an_exit_that_is_open_already_leaves_less_to_turn_over() -> None:
    run = Trader(max_position_qty=10)
    run.trade(buy(10))
    leave = OrderRequest(symbol="SPY", side=SELL, qty=D(10), type=OrderType.LIMIT, limit_price=D(120), reduce_only=True)
    assert run.ask(leave)
    assert not run.ask(sell(11))
    assert run.ask(sell(10))


def test_alternatives_share_one_quantity() -> None:
    run = Trader(max_position_qty=10, max_gross_exposure=1100)
    assert len(run.ask(one_cancels_other(buy(10, limit="90"), buy(10, limit="80")))) == 2


@pytest.mark.parametrize("qty", [4, 40])
def test_a_linked_order_is_replaced_by_one_of_the_same_quantity_alone(qty: int) -> None:
    """Two alternatives of 4 and 6 in the place of two of 10 would come to 10 between them."""
    run = Trader(max_position_qty=10)
    one, other = run.ask(one_cancels_other(buy(10, limit="90"), buy(10, limit="80")))
    assert not run.ask(ReplaceRequest(order_id=one.id, qty=D(qty)))
    assert (run.code, run.denied["figure"], run.denied["limit"]) == ("linked_quantity", str(qty), "10")
    assert run.ask(ReplaceRequest(order_id=other.id, limit_price=D(85)))


def test_a_brackets_exits_count_towards_no_limit() -> None:
    run = Trader(max_position_qty=10, max_gross_exposure=1000, max_net_exposure=1000, allow_short=False)
    assert len(run.ask(bracket(buy(10, limit="100"), D(110), D(95)))) == 3


def test_a_replacement_is_held_against_the_limits_without_what_it_replaces() -> None:
    run = Trader(max_position_qty=10, max_open_orders=1, max_repeats=1)
    (resting,) = run.ask(buy(10, limit="90"))
    assert run.ask(ReplaceRequest(order_id=resting.id, limit_price=D(95)))
    run.tell(UpdateKind.REPLACED, resting)
    (other,) = run.engine.open_orders()
    assert not run.ask(ReplaceRequest(order_id=other.id, qty=D(11)))
    assert run.code == "max_position_qty"


def test_without_equity_nothing_may_be_opened() -> None:
    run = Trader(cash="1000", max_concentration="0.5", universe=("SPY", "BAC"))
    run.trade(sell(5))
    run.see(400.0)
    assert run.engine.equity < 0
    assert not run.ask(buy(1, "BAC"), close=400.0)
    # Buying power, which comes first, says no as well.
    checks = {check.name: check.denial for check in run.agent.manager.explain(_wanted(run), run.engine)}
    assert checks["max_concentration"] is not None
    assert checks["max_concentration"].figure is None


def _wanted(run: Trader) -> object:
    return next(reversed([record.order for record in run.engine.records if record.order is not None]))


@pytest.mark.parametrize("limit", ["100", "150"])
def test_a_put_that_is_sold_at_no_less_than_its_strike_opens_something_all_the_same(limit: str) -> None:
    put = "SPY261218P00100000"
    run = Trader(universe=("SPY", put), allow_short=False)
    run.see(5.0, put)
    assert not run.ask(sell(1, put, limit=limit))
    assert run.code == "short_not_allowed"


@pytest.mark.parametrize(
    "limits",
    [
        {"max_position_qty": "0.001", "max_concentration": "0.00001"},
        {"max_gross_exposure": "0.01", "max_net_exposure": "0.01", "allow_short": False},
        {"price_collar_bps": "0.01", "max_orders_per_second": 1, "max_orders_per_minute": 1},
        {"duplicate_window_seconds": 60, "max_repeats": 1},
    ],
)
def test_what_only_reduces_passes_every_limit(limits: dict[str, object]) -> None:
    run = Trader()
    run.trade(buy(10))
    run.agent.manager = type(run.agent.manager)(type(run.agent.limits)(**limits))
    for _ in range(3):
        assert run.trade(sell(2))
