"""The page of one run."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.ledger.builders import new_run
from tests.pages.builders import MODEL, PIPELINE, buys, ends, rests, session
from trading import ledger
from trading.engine.bars import Bar, to_nanos
from trading.engine.records import Kind, Record
from trading.ledger.bars import pack
from trading.models import Mode, RiskEvent, Run, RunBars, RunStatus

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
#: Session, user; the run, equity at midnight, orders, fills, risk events; kinds, kill switch, its history.
BUDGET = 13


def url(run_id: object, rest: str = "") -> str:
    return f"/ui/runs/{run_id}/{rest}"


def test_it_shows_the_session_as_it_is_now(operator: Client) -> None:
    trading = session()
    buys(trading)
    rests(trading)
    page = operator.get(url(trading.run.id)).content.decode()
    for shown in ("running", "99,999.65", "1,013.70", MODEL, PIPELINE, "SmaCrossStrategy", "accepted", "Stop"):
        assert shown in page
    assert f'data-run="/ws/paper/{trading.run.id}"' in page


def test_an_order_tells_why_it_has_its_quantity(operator: Client) -> None:
    trading = session()
    order = trading.order(symbol="SPY")
    order.sizing = "half Kelly 0.11 of equity, capped at 0.05"
    ledger.append_now(trading.run.id, [trading.intend(order), trading.submit(order)])
    assert order.sizing in operator.get(url(trading.run.id)).content.decode()
    (told,) = operator.get(f"/paper/runs/{trading.run.id}/orders").json()["items"]
    assert told["sizing"] == order.sizing


def test_the_kind_of_money_is_said_at_the_top(operator: Client) -> None:
    page = operator.get(url(session().run.id)).content.decode()
    assert "Simulated money on made-up prices. No order of this run reaches a market." in page


def test_it_shows_what_its_limits_did_and_how_much_of_them_is_used(operator: Client) -> None:
    trading = session()
    run = trading.run
    room = {"code": "max_open_orders", "used": "3", "limit": "4", "unit": "orders"}
    Run.objects.filter(pk=run.pk).update(state={"risk": {"mode": "normal", "headroom": [room]}})
    RiskEvent.objects.create(
        run=run, seq=9, code="max_order_qty", message="ten are too many", created_at=timezone.now()
    )
    page = operator.get(url(run.id)).content.decode()
    for shown in ("Max open orders", "75.00%", "Max order qty", "ten are too many"):
        assert shown in page


def test_the_chart_has_the_kept_bars_and_what_was_done_on_them(operator: Client) -> None:
    trading = session()
    buys(trading)
    rests(trading)
    bars = [
        Bar(symbol, trading.now + step * 10**9, 100, 102, 99, 101, 5) for step in range(3) for symbol in ("SPY", "BAC")
    ]
    RunBars.objects.create(run=trading.run, first=0, count=4, data=pack(bars[:4]))
    RunBars.objects.create(run=trading.run, first=4, count=2, data=pack(bars[4:]))
    data = operator.get(url(trading.run.id, "bars/")).json()
    assert [bar["time"] for bar in data["bars"]["SPY"]] == [trading.now / 1e9 + step for step in range(3)]
    assert [(fill["symbol"], fill["qty"]) for fill in data["fills"]] == [("SPY", "10")]
    told = [(order["symbol"], order["status"], order["price"], order["signal"]) for order in data["orders"]]
    assert told == [("SPY", "filled", None, "buy"), ("BAC", "accepted", 99.5, "buy")]


def test_a_blocked_run_shows_every_reason(operator: Client) -> None:
    run = new_run(name="blocked")
    reasons = [
        {"code": "model_missing", "message": "name a model"},
        {"code": "pipeline_missing", "message": "and a loop"},
    ]
    data = {"status": "blocked", "reasons": reasons, "ended_at": datetime.now(UTC).isoformat()}
    ledger.append_now(run.id, [Record(Kind.RUN_STATUS, to_nanos(datetime.now(UTC)), reason="both", data=data)])
    page = operator.get(url(run.id)).content.decode()
    assert "name a model" in page
    assert "and a loop" in page
    assert "No broker was contacted" in page


def test_a_lost_run_says_why_it_ended(operator: Client) -> None:
    trading = session()
    ends(trading, RunStatus.INTERRUPTED, "its owner was lost")
    page = operator.get(url(trading.run.id)).content.decode()
    assert "Interrupted: its owner was lost" in page
    assert "data-confirm" not in page


def test_an_ended_run_asks_for_no_more_news(operator: Client) -> None:
    trading = session()
    ends(trading)
    assert "hx-get" not in operator.get(url(trading.run.id), headers=HTMX).content.decode()


def test_a_backtest_shows_its_figures(operator: Client) -> None:
    trading = session(mode=Mode.BACKTEST, metrics={"sharpe": 1.234, "total_return": 0.05, "max_drawdown": 0.02})
    ends(trading, RunStatus.COMPLETED, "the feed ended")
    page = operator.get(url(trading.run.id)).content.decode()
    for shown in ("Sharpe ratio", "1.23", "5.00%", "2.00%"):
        assert shown in page


def test_a_backtest_shows_what_it_still_holds(operator: Client) -> None:
    trading = session(mode=Mode.BACKTEST)
    ledger.append_now(trading.run.id, trading.filled_order())
    page = operator.get(url(trading.run.id)).content.decode()
    assert "1,013.70" in page


def test_an_unknown_run_is_not_found(operator: Client) -> None:
    assert operator.get(url(uuid4())).status_code == 404


def test_its_queries_do_not_grow_with_the_trading(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    trading = session()
    for _ in range(5):
        buys(trading)
    with django_assert_max_num_queries(BUDGET):
        operator.get(url(trading.run.id))


def test_its_curve_has_every_point_of_a_short_run(operator: Client) -> None:
    trading = session()
    for _ in range(3):
        buys(trading)
    points = operator.get(url(trading.run.id, "chart/")).json()["equity"]
    assert [equity for _, equity in points] == pytest.approx([99_999.65, 99_999.30, 99_998.95])


def test_a_long_curve_is_thinned_and_keeps_its_end(operator: Client) -> None:
    trading = session()
    start, _, cash = trading.point()
    points = [(start + second * 1_000_000_000, cash + second, cash) for second in range(4000)]
    ledger.append_now(trading.run.id, [], points=points)
    shown = operator.get(url(trading.run.id, "chart/")).json()["equity"]
    assert 1000 < len(shown) <= 1501
    assert shown[-1][1] == float(cash + 3999)
    assert shown == sorted(shown)


def test_all_orders_and_fills_can_be_turned_over(operator: Client) -> None:
    trading = session()
    buys(trading)
    assert "SPY" in operator.get(url(trading.run.id, "orders/")).content.decode()
    assert "101.37" in operator.get(url(trading.run.id, "fills/")).content.decode()
    assert operator.get(url(trading.run.id, "fills/"), {"after": "made-up"}).status_code == 404


def test_text_of_others_is_never_markup(operator: Client) -> None:
    trading = session("<script>alert(1)</script>")
    ends(trading, reason="<img src=x>")
    page = operator.get(url(trading.run.id)).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
