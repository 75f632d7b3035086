"""The same bars give the same ledger, whoever drives the engine."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.sim import SimulatedBrokerage
from risk.limits import RiskLimits
from risk.manager import RiskManager
from tests.engine.builders import START
from tests.trading.sessions import CASH, Frames, feed_of, gatehouse, row, session
from trading import ledger
from trading.backtest import Curve, drive
from trading.bounds import bounded
from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.engine.engine import Engine
from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce
from trading.engine.records import ledger_hash
from trading.engine.strategy import IStrategy
from trading.equity_watch import watch_of

pytestmark = pytest.mark.django_db(transaction=True)

SYMBOLS = ("SPY", "BAC")
HOUR = 3600 * NANOS_PER_SECOND


@pytest.fixture(scope="module")
def house(tmp_path_factory, django_db_setup):
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


class Replayed(IStrategy):
    """Asks at its n-th bar for what was drawn for it."""

    def __init__(self, wanted: list[list[OrderRequest]]) -> None:
        self.wanted = wanted
        self.seen = 0

    def on_bar(self, bar, context):
        self.seen += 1
        return self.wanted[self.seen - 1] if self.seen <= len(self.wanted) else []


CENTS = st.integers(500, 2000)
QUANTITIES = st.decimals("0.00000001", "400", places=8) | st.integers(1, 400).map(Decimal)


@st.composite
def markets(draw):
    """Hourly bars over some days, of one symbol or of both at a stamp."""
    bars, hour = [], 0
    # Prices that were adjusted for a dividend have as many digits as a float holds.
    unit = draw(st.sampled_from([0.01, 0.010123456789012345]))
    for _ in range(draw(st.integers(1, 14))):
        hour += draw(st.sampled_from([1, 1, 1, 5, 20]))
        for symbol in draw(st.sampled_from([SYMBOLS, SYMBOLS[:1], SYMBOLS[1:]])):
            opened, closed = draw(CENTS), draw(CENTS)
            high, low = max(opened, closed) + draw(st.integers(0, 300)), min(opened, closed) - draw(st.integers(0, 300))
            prices = (cents * unit for cents in (opened, high, low, closed))
            bars.append(Bar(symbol, START + hour * HOUR, *prices, 100.0))
    return bars


@st.composite
def requests(draw):
    limit = draw(st.none() | CENTS.map(lambda cents: Decimal(cents) / 100))
    return OrderRequest(
        symbol=draw(st.sampled_from(SYMBOLS)),
        side=draw(st.sampled_from(Side)),
        qty=draw(QUANTITIES),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=draw(st.sampled_from(TimeInForce)),
        limit_price=limit,
    )


VENUES = st.fixed_dictionaries(
    {
        "fill": st.sampled_from(["next_open", "same_close"]),
        "slippage": st.sampled_from(["none", {"bps": "7"}]),
        "fees": st.sampled_from(["none", {"per_share": "0.005", "bps": "1"}]),
        "latency_ms": st.sampled_from([0, 500]),
    }
)
LIMITS = st.fixed_dictionaries(
    {}, optional={"max_daily_loss": st.just(500), "max_drawdown": st.just("0.02"), "max_open_orders": st.just(3)}
)
BOUNDS = st.tuples(st.none() | st.integers(1, 20), st.none() | st.sampled_from([60, 600, 3000]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(markets(), st.lists(st.lists(requests(), max_size=3), max_size=14), VENUES, LIMITS, BOUNDS)
def test_backtest_and_session_leave_the_same_ledger(house, bars, wanted, venue, limits, bounds):
    risk = RiskLimits(**limits)
    check = RiskManager(risk).check_pretrade

    machine, curve = Engine("backtest", Replayed(wanted), check, SYMBOLS, CASH), Curve()
    drive(
        machine,
        SimulatedBrokerage(starting_cash=CASH, **venue),
        bounded(iter(bars), *bounds),
        curve,
        watch_of(risk, CASH),
    )

    made = session(
        house,
        Replayed(wanted),
        feed_of(bounded(iter(bars), *bounds)),
        check=check,
        brokerage=SimulatedBrokerage(starting_cash=CASH, **venue),
        universe=SYMBOLS,
        frames=Frames(),
        watch=watch_of(risk, CASH),
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
    report = ledger.verify(made.run_id)
    assert report.ok, report
