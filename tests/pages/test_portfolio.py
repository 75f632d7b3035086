"""The Portfolio page: what it says of accounts, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.pages.builders import buys, ends, rests, session
from trading import frames, queries
from trading.engine.bars import to_nanos
from trading.models import Mode, RunStatus

pytestmark = pytest.mark.django_db

URL = "/ui/portfolio/"
HTMX = {"HX-Request": "true"}
#: Session, user; runs under way, ended today, midnight, open orders, fills; kinds, kill switch, its history.
BUDGET = 15


def test_nobody_is_sent_to_the_log_in(client: Client) -> None:
    assert client.get(URL).headers["Location"] == f"/ui/login/?next={URL}"


def test_empty_it_says_what_to_do_first(operator: Client) -> None:
    page = operator.get(URL).content.decode()
    assert "Nothing is trading" in page
    assert "Start the first run" in page


def test_it_shows_money_positions_orders_and_fills(operator: Client) -> None:
    trading = session("demo")
    buys(trading)
    rests(trading)
    page = operator.get(URL).content.decode()
    for shown in (
        "99,999.65",
        "98,985.95",
        "1,013.70",
        "Synthetic",
        "Simulated money on made-up prices",
        "SPY",
        "accepted",
    ):
        assert shown in page
    assert "\N{MINUS SIGN}0.35" in page


def test_asked_by_htmx_it_is_the_fragment_alone(operator: Client) -> None:
    page = operator.get(URL, headers=HTMX).content.decode()
    assert "<html" not in page
    assert 'id="overview"' in page


def test_kinds_of_money_are_never_summed() -> None:
    buys(session("made up"))
    buys(session("on prices", synthetic=False))
    session("real", mode=Mode.LIVE, synthetic=False, starting_cash=Decimal(5000))
    totals = queries.portfolio_overview()["totals"]
    assert {kind: total["equity"] for kind, total in totals.items()} == {
        "live": "5000",
        "paper": "99999.65",
        "synthetic": "99999.65",
    }


def test_the_day_begins_at_midnight_utc() -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    trading = session(began=midnight - timedelta(hours=1))
    buys(trading)
    trading.now = to_nanos(midnight + timedelta(seconds=1))
    buys(trading, "BAC")
    (account,) = queries.portfolio_overview()["accounts"]
    assert (account["pnl_day"], account["pnl"]) == ("-0.35", "-0.7")


def test_a_session_that_ended_today_still_counts_for_the_day() -> None:
    trading = session()
    buys(trading)
    ends(trading)
    total = queries.portfolio_overview()["totals"]["synthetic"]
    assert (total["accounts"], total["closed_accounts"]) == (0, 1)
    assert (total["equity"], total["pnl_day"]) == ("0", "-0.35")


def test_sessions_of_drills_are_gone_once_they_have_ended() -> None:
    ends(session("drill", account="drill"), RunStatus.KILLED)
    ends(session("demo"), RunStatus.KILLED)
    assert [account["name"] for account in queries.portfolio_overview()["accounts"]] == ["demo"]


def test_a_session_without_a_bar_is_worth_its_starting_cash() -> None:
    session()
    (account,) = queries.portfolio_overview()["accounts"]
    assert (account["equity"], account["pnl"], account["positions"]) == ("100000", "0", [])


def test_backtests_are_no_accounts() -> None:
    buys(session(mode=Mode.BACKTEST))
    overview = queries.portfolio_overview()
    assert overview["accounts"] == overview["last_fills"] == []


def test_its_queries_do_not_grow_with_what_it_shows(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        trading = session(f"session {number}")
        buys(trading)
        rests(trading)
    with django_assert_max_num_queries(BUDGET):
        operator.get(URL)


def test_the_curve_adds_up_the_open_accounts(operator: Client) -> None:
    for _ in range(2):
        trading = session()
        buys(trading)
        buys(trading)
    points = operator.get(f"{URL}chart/", {"kind": "synthetic"}).json()["equity"]
    assert points[-1][1] == pytest.approx(2 * 99_999.30)
    assert operator.get(f"{URL}chart/", {"kind": "paper"}).json()["equity"] == []


def test_an_unknown_kind_has_no_curve(operator: Client) -> None:
    assert operator.get(f"{URL}chart/", {"kind": "imaginary"}).status_code == 404


def test_a_shown_frame_is_newer_than_the_last_flush() -> None:
    trading = session()
    buys(trading)
    publisher = frames.publisher()
    shown = {"equity": "100500", "cash": "100500", "positions": []}
    publisher.publish(trading.run.id, trading.run.task_id, "equity.update", "100500", None, **shown)
    assert publisher.flush(trading.run.id, timeout=5)
    (account,) = queries.portfolio_overview()["accounts"]
    assert (account["equity"], account["positions"]) == ("100500", [])
    assert account["as_of"] is not None
