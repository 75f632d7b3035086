"""What runs have to tell, from runs booked through the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alphaswarm_site import alerting as site_alerting
from alphaswarm_site import health
from risk.alert_models import Alert
from risk.alerts import follow, following
from risk.alerts.following import Lasting, Table
from tests.pages.builders import buys, ends, session
from trading import alerting, ledger
from trading.alerting import Exposures
from trading.engine.orders import OrderStatus
from trading.engine.records import Kind, Record
from trading.models import Mode, Position, RunStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def followed(monkeypatch) -> None:
    monkeypatch.setattr(following, "_sources", {})
    following.register(Table("risk_events", alerting.risk_events, alerting.of_risk_event))
    follow()


def breach(trading, kind=Kind.RISK_HALTED, code="max_daily_loss") -> None:
    data = {"code": code, "figure": "120", "limit": "100"}
    ledger.append_now(trading.run.id, [Record(kind, trading.now, reason="lost 120 of 100", data=data)])


def denied(trading, code="buying_power") -> None:
    order = trading.order()
    denial = trading.step(order, OrderStatus.DENIED, Kind.ORDER_DENIED, "no", {"code": code})
    ledger.append_now(trading.run.id, [denial])


@pytest.mark.usefixtures("followed")
@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        (Kind.RISK_HALTED, "max_daily_loss", "halt"),
        (Kind.RISK_REDUCING, "max_drawdown", "halt"),
        (Kind.RISK_HALTED, "max_feed_silence_seconds", "stale_data"),
    ],
)
def test_a_breach_is_told_with_its_run(kind, code, told):
    trading = session(account="alpaca-paper")
    breach(trading, kind, code)
    assert follow() == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.run_id, alert.account) == (told, trading.run.id, "alpaca-paper")
    assert alert.severity == "critical"
    assert code in alert.subject


@pytest.mark.usefixtures("followed")
def test_a_backtest_alarms_nobody():
    breach(session(mode=Mode.BACKTEST))
    assert follow() == 0


@pytest.mark.usefixtures("followed")
def test_one_refused_order_alarms_only_where_it_speaks_of_exposure():
    trading = session()
    denied(trading)
    assert follow() == 0
    denied(trading, "max_gross_exposure")
    denied(trading, "max_gross_exposure")
    assert follow() == 2
    assert (Alert.objects.get().kind, Alert.objects.get().count) == ("exposure_spike", 2)


def test_orders_refused_one_after_the_other_are_a_spike():
    trading = session()
    for _ in range(alerting.REFUSALS - 1):
        denied(trading)
    assert list(alerting.recent_events()) == []
    denied(trading)
    [notice] = alerting.recent_events()
    assert (notice.kind, notice.run_id) == ("reject_spike", trading.run.id)
    assert notice.subject.startswith(f"{alerting.REFUSALS} orders of demo were refused")


def test_a_silent_feed_is_told():
    trading = session()
    ledger.append_now(trading.run.id, [Record(Kind.FEED_SILENT, trading.now, reason="no bar for 90 s", data={})])
    [notice] = alerting.recent_events()
    assert (notice.kind, notice.message) == ("stale_data", "no bar for 90 s")


def test_a_lost_worker_is_told_once_for_all_its_sessions():
    for _ in range(3):
        ends(session(), RunStatus.INTERRUPTED, "its owner worker-1 was lost")
    ends(session(), RunStatus.STOPPED)
    ends(session(mode=Mode.BACKTEST), RunStatus.INTERRUPTED, "its owner worker-1 was lost")
    [notice] = alerting.ended_runs()
    assert notice.once
    assert notice.subject == "3 sessions interrupted: its owner worker-1 was lost"


def test_a_session_that_failed_is_told_and_one_of_yesterday_is_not():
    run = ends(session(), RunStatus.FAILED, "ValueError in the strategy")
    assert [notice.run_id for notice in alerting.ended_runs()] == [run.id]
    type(run).objects.filter(pk=run.pk).update(ended_at=datetime.now(UTC) - timedelta(days=1))
    assert list(alerting.ended_runs()) == []


def test_a_cancel_that_nobody_confirms_is_told_after_a_while():
    trading = session()
    order = trading.order(limit=Decimal(99))
    sent = [trading.intend(order), trading.submit(order)]
    asked = trading.step(order, OrderStatus.PENDING_CANCEL, Kind.ORDER_PENDING_CANCEL)
    ledger.append_now(trading.run.id, [*sent, asked])
    lasting = Lasting()
    assert list(alerting.stuck_orders("pending_cancel", lasting, 100.0)) == []
    [notice] = alerting.stuck_orders("pending_cancel", lasting, 100.0 + alerting.UNCONFIRMED_SECONDS)
    assert (notice.kind, notice.run_id, notice.message) == ("unconfirmed_cancel", trading.run.id, order.id)
    ledger.append_now(trading.run.id, [trading.step(order, OrderStatus.CANCELLED, Kind.ORDER_CANCELLED)])
    assert list(alerting.stuck_orders("pending_cancel", lasting, 200.0)) == []


def test_an_exposure_is_that_of_all_runs_of_its_account():
    for _ in range(2):
        buys(session(account="alpaca-paper"))
    exposures = Exposures()
    assert exposures.look(100.0) == []
    [(_, gross)] = exposures._seen["alpaca-paper"]
    assert gross == sum(abs(one.cost) for one in Position.objects.all()) > 0


def test_an_exposure_that_outgrows_the_equity_within_a_minute_is_a_spike():
    exposures, equity = Exposures(), Decimal(1000)
    assert exposures.take({"a": (Decimal(0), equity)}, 0.0) == []
    assert exposures.take({"a": (Decimal(900), equity)}, 10.0) == []
    [notice] = exposures.take({"a": (Decimal(1900), equity)}, 20.0)
    assert (notice.kind, notice.account) == ("exposure_spike", "a")
    assert exposures.take({"a": (Decimal(1900), equity)}, 90.0) == []


def test_a_part_that_stays_away_is_told_and_withholds_the_heartbeat(monkeypatch):
    def no_worker() -> None:
        raise health.Missing("no worker listens to the queue live")

    monkeypatch.setattr(health, "CHECKS", {"database": health.CHECKS["database"], "workers": no_worker})
    lasting = Lasting()
    assert site_alerting.what_is_missing() == "workers: no worker listens to the queue live"
    assert list(site_alerting.missing_parts(lasting, 100.0)) == []
    [notice] = site_alerting.missing_parts(lasting, 100.0 + site_alerting.MISSING_SECONDS)
    assert notice.kind == "lost_worker"
    monkeypatch.setattr(health, "CHECKS", {"database": health.CHECKS["database"]})
    assert site_alerting.what_is_missing() == ""
