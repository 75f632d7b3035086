"""The list of backtests and the page of a tear sheet."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from access.principals import cli_principal
from tests.pages.builders import buys, session
from tests.tearsheet.conftest import backtest
from tests.trading.market import recipe, replay, write_bars
from trading import actions
from trading.engine.orders import Side
from trading.models import Fill, Run
from trading.tearsheet import listing, reading
from trading.tearsheet.reading import sheet_of, trades_of
from trading.tearsheet.report import report

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/ui/backtests/"


def page(client: Client, path: str = "", **asked: str) -> str:
    answer = client.get(URL + path, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_list_says_what_to_do(operator: Client) -> None:
    shown = page(operator)
    assert "No backtest yet" in shown
    assert "alphaswarm backtest run --config" in shown


def test_a_search_without_a_find_says_so(operator: Client, run: Run) -> None:
    assert "No backtest is like that" in page(operator, search="nothing")


def test_the_list_is_sorted_by_figures_and_what_has_none_comes_last(bars: Path, operator: Client) -> None:
    sizes = {"small": 1, "large": 100}
    for name, quantity in sizes.items():
        backtest(bars, name, strategy={"class": "SmaCrossStrategy", "kwargs": {"quantity": quantity}})
    actions.start_backtest(recipe(replay(bars), name="waiting"), principal=cli_principal(), enqueue=False)
    found = listing.backtests(listing.Wanted(order="max_drawdown")).object_list
    assert [one.name for one in found] == ["small", "large", "waiting"]
    found = listing.backtests(listing.Wanted(order="total_return")).object_list
    returns = [one.metrics.get("total_return") for one in found]
    assert returns[0] > returns[1]
    assert returns[2] is None
    assert listing.backtests(listing.Wanted(order="made-up")).object_list[0].name == "waiting"


def test_a_tear_sheet_shows_every_figure_that_was_recorded(run: Run, operator: Client) -> None:
    shown = page(operator, f"{run.pk}/")
    for name in ("Sortino ratio", "Calmar ratio", "Profit factor", "Exposure", "Turnover", "Slippage paid", "Mar"):
        assert name in shown
    assert f"{run.metrics['sharpe']:.2f}".replace("-", "\N{MINUS SIGN}") in shown
    assert "an equal part of the cash in each symbol" in shown


def test_ratios_of_fewer_than_three_days_come_with_a_warning(run: Run, bars: Path, operator: Client) -> None:
    assert "Fewer than three days" in page(operator, f"{run.pk}/")
    assert "Fewer than three days" in report(run)
    assert "Fewer than three days" in page(operator)
    feed = {"class": "SyntheticFeed", "kwargs": {"timeframe": "1Day", "bars": 60}}
    longer = backtest(bars, "longer", feed=feed)
    assert "Fewer than three days" not in page(operator, f"{longer.pk}/") + report(longer)
    assert "Fewer than three days" not in page(operator, search="longer")


def test_what_was_recorded_agrees_with_what_was_booked(run: Run) -> None:
    fills = Fill.objects.filter(run=run)
    assert Decimal(run.metrics["fees"]) == sum(fill.fee for fill in fills) == fills.count()
    assert run.metrics["trades"] == len(trades_of(run))
    assert 0 < Decimal(run.metrics["slippage"]) < Decimal(run.metrics["fees"]) * 100


def test_a_backtest_in_the_queue_shows_that_it_waits_and_can_be_cancelled(bars: Path, operator: Client) -> None:
    waiting = actions.start_backtest(recipe(replay(bars)), principal=cli_principal(), enqueue=False)
    shown = page(operator, f"{waiting.pk}/")
    assert "Waiting for a worker" in shown
    assert f'data-run="/ws/paper/{waiting.pk}"' in shown
    assert ">Cancel</button>" in shown
    operator.post(f"/ui/runs/{waiting.pk}/stop/", {"sure": "yes"})
    assert "No bar was processed" in page(operator, f"{waiting.pk}/")


def test_the_charts_data_is_the_curve_the_drawdown_and_holding(run: Run, operator: Client) -> None:
    data = operator.get(f"{URL}{run.pk}/lines/").json()
    assert data["equity"][-1][1] == pytest.approx(float(run.final_equity), abs=0.01)
    assert min(value for _, value in data["drawdown"]) == pytest.approx(-100 * run.metrics["max_drawdown"])
    assert data["holding"][-1][1] == pytest.approx(100_000 * (1 + run.metrics["benchmark"]["total_return"]), abs=0.01)


def test_prices_come_from_the_feed_with_the_fills_on_them(run: Run, operator: Client) -> None:
    data = operator.get(f"{URL}{run.pk}/prices/", {"symbol": "SPY"}).json()
    assert 200 < len(data["bars"]) <= 500
    assert len(data["fills"]) == Fill.objects.filter(run=run, symbol="SPY").count()


def test_a_file_that_is_gone_is_said_where_the_prices_would_be(run: Run, bars: Path, operator: Client) -> None:
    bars.unlink()
    data = operator.get(f"{URL}{run.pk}/prices/", {"symbol": "BAC"}).json()
    assert "cannot be read again" in data["note"]
    assert "there is no such file" in data["note"]


def test_prices_that_have_changed_since_are_shown_with_the_remark(run: Run, bars: Path, operator: Client) -> None:
    write_bars(bars, seed=2)
    data = operator.get(f"{URL}{run.pk}/prices/", {"symbol": "SPY"}).json()
    assert len(data["bars"]) > 200
    assert data["note"].startswith("These are not the bars that it ran on: the feed's data has changed since the run")
    document = operator.get(f"{URL}{run.pk}/report/").content.decode()
    assert "These are not the bars that it ran on" in document


def test_round_trips_are_paged_and_htmx_gets_the_table_alone(run: Run, operator: Client) -> None:
    last = -(-len(trades_of(run)) // 25)
    whole = page(operator, f"{run.pk}/trades/", page=str(last))
    assert f"Page {last} of {last}" in whole
    part = operator.get(f"{URL}{run.pk}/trades/", {"page": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="trades">')


def test_an_unknown_run_is_not_found(operator: Client) -> None:
    assert operator.get(f"{URL}{uuid4()}/").status_code == 404


def test_starting_a_backtest_leads_to_its_page(bars: Path, operator: Client) -> None:
    answer = operator.post("/ui/runs/new/", {"recipe": json.dumps(recipe(replay(bars))), "as": "backtest"})
    assert answer.headers["Location"] == f"{URL}{Run.objects.get().pk}/"


def test_a_session_that_goes_on_is_measured_as_it_stands(operator: Client) -> None:
    trading = session()
    buys(trading)
    buys(trading, side=Side.SELL)
    shown = page(operator, f"{trading.run.pk}/")
    assert "Profit factor" in shown
    assert "hx-trigger" not in shown.partition('id="backtest"')[2].partition(">")[0]
    assert ">Cancel</button>" not in shown


def test_a_session_before_its_first_bar_says_when_to_look_again(operator: Client) -> None:
    assert "No bar yet" in page(operator, f"{session().run.pk}/")


def test_of_many_fills_the_round_trips_within_the_newest_are_listed(
    run: Run, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, most = list(trades_of(run)), run.num_fills // 2
    first = list(reading._fills(run.pk))[-most]
    monkeypatch.setattr(reading, "MOST_FILLS", most)
    reading._remembered.cache_clear()
    listed = list(trades_of(run))
    reading._remembered.cache_clear()
    assert 0 < len(listed) < len(whole)
    assert [trade for trade in whole if trade.entry_time > first.time] == [
        trade for trade in listed if trade.entry_time > first.time
    ]
    assert all(trade in whole for trade in listed)
    assert "Those within the newest" in page(operator, f"{run.pk}/trades/")


def test_of_a_session_with_many_fills_money_is_whole_and_round_trips_are_of_the_newest(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = dict(run.metrics)
    run.metrics = {}
    whole = reading.metrics_of(run)
    assert whole["trades"] == recorded["trades"]
    monkeypatch.setattr(reading, "MOST_FILLS", run.num_fills // 2)
    reading._remembered.cache_clear()
    reading._measured.clear()
    partial = reading.metrics_of(run)
    reading._remembered.cache_clear()
    reading._measured.clear()
    assert partial["partial"]
    assert 0 < partial["trades"] < whole["trades"]
    for name in ("fees", "sharpe", "max_drawdown", "total_return"):
        assert partial[name] == whole[name]
    assert partial["turnover"] == pytest.approx(whole["turnover"])


def test_how_results_are_spread_is_recorded_so_that_no_fill_is_read_for_it(
    run: Run, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    reckoned = reading.spread([float(trade.pnl) for trade in trades_of(run)])
    with django_assert_max_num_queries(1):
        sheet = sheet_of(run)
    assert sheet is not None
    assert sheet.results == reckoned


def test_of_a_session_the_next_look_reads_what_is_new() -> None:
    trading = session()
    for side in (Side.BUY, Side.SELL, Side.BUY):
        buys(trading, side=side)
    seen, traded = reading.curve_of(trading.run), reading._traded_by(trading.run)
    reading._curves[trading.run.pk] = seen._replace(equity=seen.equity * 0)
    reading._traded[trading.run.pk] = traded._replace(fees=Decimal(7), value=Decimal(0))
    buys(trading, side=Side.SELL)
    curve, after = reading.curve_of(trading.run), reading._traded_by(trading.run)
    reading._curves.clear()
    reading._traded.clear()
    whole, in_all = reading.curve_of(trading.run), reading._traded_by(trading.run)
    assert curve.times.tolist() == whole.times.tolist()
    assert curve.equity.tolist() == [0, 0, *whole.equity[2:]]
    assert after.fees - 7 == in_all.fees - traded.fees > 0
    assert after.value == in_all.value - traded.value > 0
