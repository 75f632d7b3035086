"""Whatever a strategy asks for, whatever the bars: what a driven run must hold."""

from __future__ import annotations

from hypothesis import given, settings

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.trading.drawn import LIMITS, SYMBOLS, TIMERS, VENUES, WANTED, Replayed, brokerage, markets
from tests.trading.sessions import CASH
from trading.backtest import Curve, drive
from trading.engine.engine import Engine
from trading.engine.margin import AccountType
from trading.engine.orders import Side
from trading.engine.records import Kind, ledger_hash


def driven(key, bars, wanted, timers, venue, limits):
    agent = RiskManagementAgent(RiskLimits(**{**limits, "on_breach": "safe_mode"}), CASH)
    account = AccountType(venue["account"])
    machine = Engine(key, Replayed(wanted, timers), agent, SYMBOLS, CASH, account=account)
    made = brokerage(venue)
    drive(machine, made, iter(bars), Curve())
    return machine, made


@settings(max_examples=60, deadline=None)
@given(markets(), WANTED, TIMERS, VENUES, LIMITS)
def test_the_venue_and_the_engine_agree_and_nothing_is_left_open(bars, wanted, timers, venue, limits):
    machine, made = driven("first", bars, wanted, timers, venue, limits)
    assert made.query_account().cash == machine.cash
    held = {one.symbol: one.qty for one in made.query_positions()}
    assert held == {symbol: position.qty for symbol, position in machine.portfolio.held.items()}
    assert machine.open_orders() == []
    assert machine.committed == 0
    assert not machine.halted
    again, _ = driven("second", bars, wanted, timers, venue, limits)
    assert ledger_hash(again.records) == ledger_hash(machine.records)


@settings(max_examples=60, deadline=None)
@given(markets(), WANTED, TIMERS, VENUES, LIMITS)
def test_groups_never_trade_more_than_they_share_and_reduce_only_never_opens(bars, wanted, timers, venue, limits):
    machine, _ = driven("run", bars, wanted, timers, venue, limits)
    filled: dict[str, object] = {}
    held = dict.fromkeys(SYMBOLS, 0)
    for record in machine.records:
        if record.kind is Kind.ORDER_FILLED:
            order, fill = record.order, record.fill
            signed = fill.qty if fill.side is Side.BUY else -fill.qty
            if order.reduce_only:
                assert abs(held[fill.symbol] + signed) == abs(held[fill.symbol]) - fill.qty
            held[fill.symbol] += signed
            if order.group:
                filled[order.group] = filled.get(order.group, 0) + fill.qty
            assert order.filled_qty <= order.qty
    for order in machine.orders.values():
        if order.group and not order.replaces:
            assert filled.get(order.group, 0) <= order.qty
