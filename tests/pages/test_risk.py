"""The Risk page: headroom, what is held back, events and kills."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from risk.models import KillEvent, RiskHalt
from tests.ledger.builders import Trading
from tests.pages.builders import session, state_of
from tests.risk.test_api import code_of
from trading import ledger
from trading.engine.records import Kind, Record
from trading.models import Mode, Run
from trading.oversight import queries

pytestmark = pytest.mark.django_db

URL = "/ui/risk/"


def room(code: str, used: str, limit: str, unit: str = "money", symbol: str | None = None) -> dict[str, Any]:
    return {"code": code, "used": used, "limit": limit, "unit": unit, "symbol": symbol}


def tells(trading: Trading, mode: str = "normal", why: str = "", *headroom: dict[str, Any]) -> None:
    """The session flushes how near it is to its limits."""
    state = {**state_of(trading), "risk": {"mode": mode, "why": why, "headroom": list(headroom)}}
    ledger.append_now(trading.run.id, [], state=state)


def breaches(trading: Trading, code: str = "max_daily_loss") -> None:
    data = {"code": code, "figure": "1200.50", "limit": "1000"}
    ledger.append_now(trading.run.id, [Record(Kind.RISK_HALTED, trading.now, reason="lost too much", data=data)])


def test_empty_it_says_that_nothing_runs(operator: Client) -> None:
    page = operator.get(URL).content.decode()
    assert "No session is under way." in page
    assert "Nothing has been refused or halted." in page
    assert "The kill switch has never been engaged." in page


def test_the_limit_that_is_nearest_stands_first() -> None:
    tells(session("calm"), "normal", "", room("max_daily_loss", "100", "1000"))
    tells(session("tense"), "normal", "", room("max_position_value", "19000", "20000", symbol="SPY"))
    rows = queries.overview()["headroom"]
    assert [(row["name"], row["code"], row["fraction"]) for row in rows] == [
        ("tense", "max_position_value", 0.95),
        ("calm", "max_daily_loss", 0.1),
    ]


def test_each_limit_shows_its_figure_in_its_unit(operator: Client) -> None:
    tells(
        session(),
        "normal",
        "",
        room("max_drawdown", "0.02", "0.1", "fraction"),
        room("max_open_orders", "3", "9", "count"),
    )
    page = operator.get(URL).content.decode()
    assert "2.00%" in page and "10.00%" in page
    assert "Max open orders" in page
    assert "<meter" in page


def test_sessions_without_a_limit_are_named(operator: Client) -> None:
    tells(session("limited"), "normal", "", room("max_daily_loss", "1", "10"))
    session("unlimited")
    assert [one["name"] for one in queries.overview()["unlimited"]] == ["unlimited"]
    assert "Without a limit of their own" in operator.get(URL).content.decode()


def test_a_session_that_may_only_reduce_is_held_back(operator: Client) -> None:
    tells(session("tense"), "reducing", "lost 1200.50 since 00:00 UTC")
    assert [one["name"] for one in queries.overview()["held_back"]] == ["tense"]
    page = operator.get(URL).content.decode()
    assert "lost 1200.50 since 00:00 UTC" in page


def test_its_page_says_so_and_a_person_lets_it_trade_again_with_a_reason_and_a_code(operator: Client) -> None:
    run = session("tense").run
    trading = Trading(run)
    tells(trading, "reducing", "lost 1200.50 since 00:00 UTC")
    way_back = f"/ui/runs/{run.id}/resume/"
    for page in (URL, f"/ui/runs/{run.id}/"):
        shown = operator.get(page).content.decode()
        assert "ost 1200.50 since 00:00 UTC" in shown and way_back in shown
    device = TOTPDevice.objects.create(user=User.objects.get(username="operator"), confirmed=True)
    assert operator.post(way_back, {"reason": "the feed is mended", "code": "000000"}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert operator.post(way_back, {"reason": "", "code": code_of(device)}).status_code == 422
    run.refresh_from_db()
    assert run.resumes == 0
    assert operator.post(way_back, {"reason": "the feed is mended"}).status_code == 302
    run.refresh_from_db()
    assert (run.resumes, run.resume_reason) == (1, "the feed is mended")


def test_who_may_only_look_sees_that_it_is_held_back_but_no_way_back(viewer: Client) -> None:
    trading = session("tense")
    tells(trading, "reducing", "lost 1200.50 since 00:00 UTC")
    way_back = f"/ui/runs/{trading.run.id}/resume/"
    for page in (URL, f"/ui/runs/{trading.run.id}/"):
        shown = viewer.get(page).content.decode()
        assert "ost 1200.50 since 00:00 UTC" in shown and way_back not in shown
    assert viewer.get(way_back).status_code == 403


def test_who_may_only_look_is_offered_nothing_that_is_not_theirs(viewer: Client, operator: Client) -> None:
    RiskHalt.objects.create(scope="symbol", target="SPY", reason="odd prints", by="operator", at="2026-01-05T12:00:00Z")
    for verb in ("Halt…", "Halt now", "Release…", "Engage now"):
        assert verb in operator.get(URL).content.decode()
        assert verb not in viewer.get(URL).content.decode()
    assert "odd prints" in viewer.get(URL).content.decode()


def test_events_stand_newest_first_and_lead_to_the_trail(operator: Client) -> None:
    run = session("tense")
    breaches(run)
    breaches(run, "overfill")
    assert [one["code"] for one in queries.events()["items"]] == ["overfill", "max_daily_loss"]
    page = operator.get(URL).content.decode()
    assert f"/ui/runs/{run.run.id}/why/" in page
    only = operator.get("/ui/risk/events/", {"code": "max_daily_loss"}).content.decode()
    assert "1,200.5" in only
    assert 'id="event-' in only and only.count('id="event-') == 1


def test_the_codes_to_choose_from_are_those_that_there_are_each_once() -> None:
    assert queries.codes() == []
    run = session("tense")
    for code in ("overfill", "max_daily_loss", "overfill", "max_drawdown", "max_daily_loss"):
        breaches(run, code)
    assert queries.codes() == ["max_daily_loss", "max_drawdown", "overfill"]


def test_what_came_again_and_again_stands_once_with_how_often() -> None:
    tense, wild = session("tense"), session("wild")
    for _ in range(3):
        breaches(tense, "reducing")
    breaches(wild, "reducing")
    breaches(session("drill", account="drill"))
    breaches(tense)
    shown = queries.overview()["events"]
    assert [(one["run_name"], one["code"], one["times"]) for one in shown] == [
        ("tense", "max_daily_loss", 1),
        ("wild", "reducing", 1),
        ("tense", "reducing", 3),
    ]


def test_events_of_backtests_are_not_shown() -> None:
    run = session("tested")
    Run.objects.filter(pk=run.run.pk).update(mode=Mode.BACKTEST)
    breaches(run)
    assert queries.events()["items"] == queries.overview()["events"] == []


def test_events_come_in_pages() -> None:
    run = session()
    for _ in range(3):
        breaches(run)
    first = queries.events(limit=2)
    second = queries.events(limit=2, cursor=first["next"])
    assert len(first["items"] + second["items"]) == len({one["id"] for one in first["items"] + second["items"]}) == 3
    assert second["next"] is None


def test_a_kill_shows_what_was_measured_and_what_was_not(operator: Client) -> None:
    measured = {"gate_closed_ms": 16.4, "cancels_sent_ms": 24.0, "open_orders_zero_ms": None, "sessions_ended_ms": None}
    KillEvent.objects.create(
        action="engaged", epoch=1, reason="drill", actor="operator", at="2026-01-05T12:00:00Z", measured=measured
    )
    page = operator.get(URL).content.decode()
    assert "16 ms" in page
    assert "not confirmed" in page


def test_the_page_costs_as_many_queries_with_one_session_as_with_many(
    operator: Client,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(12):
        tells(session(f"run {number}"), "normal", "", room("max_daily_loss", "1", "10"))
    with django_assert_max_num_queries(30):
        operator.get(URL)
