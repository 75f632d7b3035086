"""The same bars give the same ledger, whoever drives the engine."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.risk.sizes import method
from tests.trading.drawn import LIMITS, SYMBOLS, TIMERS, VENUES, WANTED, Replayed, brokerage, markets
from tests.trading.sessions import CASH, Frames, feed_of, gatehouse, row, session
from trading import ledger
from trading.backtest import Curve, drive
from trading.bounds import bounded
from trading.engine.engine import Engine
from trading.engine.margin import AccountType
from trading.engine.records import Kind, ledger_hash

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def house(tmp_path_factory, django_db_setup):
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


SIZINGS = st.sampled_from(
    [
        None,
        None,
        {"method": "fixed_fraction", "fraction": "0.3"},
        {"method": "volatility_target", "annual_vol": 2, "window": 2, "initial": "0.5"},
        {"method": "kelly", "kind": "discrete", "min_trades": 2, "initial": "0.5", "cap": "0.4"},
    ]
)
BOUNDS = st.tuples(st.none() | st.integers(1, 20), st.none() | st.sampled_from([60, 600, 3000]))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(markets(), WANTED, TIMERS, VENUES, LIMITS, SIZINGS, BOUNDS)
def test_backtest_and_session_leave_the_same_ledger(house, bars, wanted, timers, venue, limits, sizing, bounds):
    account = AccountType(venue["account"])

    def agent():
        return RiskManagementAgent(RiskLimits(**limits), CASH, sizing and method(**sizing))

    machine = Engine("backtest", Replayed(wanted, timers), agent(), SYMBOLS, CASH, account=account)
    curve = Curve()
    drive(
        machine,
        brokerage(venue),
        bounded(iter(bars), *bounds),
        curve,
    )

    made = session(
        house,
        Replayed(wanted, timers),
        feed_of(bounded(iter(bars), *bounds)),
        agent=agent(),
        brokerage=brokerage(venue),
        account=account,
        universe=SYMBOLS,
        frames=Frames(),
        flush_every=3,
    )
    summary = asyncio.run(made.run())

    assert summary.ledger_hash == ledger_hash(machine.records)
    assert (summary.bars, summary.fills, summary.final_equity) == (machine.bars, machine.fills, machine.equity)
    assert summary.status == ("halted" if machine.halted else "completed")
    assert "not confirmed" not in summary.reason
    last = dict(zip(curve.times, curve.equity, strict=True))
    points = {point.time: float(point.equity) for point in row(made).equity.all()}
    assert list(points.values()) == pytest.approx(list(last.values()))
    sentences = [record.order.sizing for record in machine.records if record.kind == Kind.ORDER_INTENDED]
    orders = row(made).orders.exclude(status="denied").exclude(external=True).order_by("seq")
    assert list(orders.values_list("sizing", flat=True)) == sentences
    report = ledger.verify(made.run_id)
    assert report.ok, report
