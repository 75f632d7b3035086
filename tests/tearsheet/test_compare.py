"""Runs beside each other."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from django.test import Client

from tests.pages.builders import session
from tests.tearsheet.conftest import backtest
from trading.models import Run
from trading.tearsheet.comparing import compared, curves, differing

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/ui/backtests/compare/"


@pytest.fixture
def two(bars: Path) -> list[Run]:
    sizes = {"small": 1, "large": 100}
    kwargs = {name: {"fast": 2, "slow": 5, "quantity": quantity} for name, quantity in sizes.items()}
    return [backtest(bars, name, strategy={"class": "SmaCrossStrategy", "kwargs": kwargs[name]}) for name in sizes]


def test_the_best_of_each_figure_is_marked_by_more_than_colour(operator: Client, two: list[Run]) -> None:
    lines = {line.figure.key: line.cells for line in compared(two)["lines"]}
    fees = [float(cell.value) for cell in lines["slippage"]]
    assert [cell.best for cell in lines["slippage"]] == [fees[0] < fees[1], fees[1] < fees[0]]
    returns = [cell.value for cell in lines["total_return"]]
    assert [cell.best for cell in lines["total_return"]] == [one == max(returns) for one in returns]
    assert not any(cell.best for cell in lines["trades"]), "neither more nor fewer is better"
    shown = operator.get(URL, {"run": [str(run.pk) for run in two]}).content.decode()
    assert shown.count("(best)") == sum(cell.best for cells in lines.values() for cell in cells)


def test_every_curve_begins_at_one_hundred(operator: Client, two: list[Run]) -> None:
    first, second = (one["points"] for one in curves(two))
    assert [time for time, _ in first] == [time for time, _ in second]
    assert first[0][1] == second[0][1] == 100
    assert second[-1][1] == pytest.approx(100 * float(two[1].final_equity / two[1].starting_cash))
    answer = operator.get(f"{URL}lines/", {"run": [str(run.pk) for run in two]}).json()
    assert [line["name"] for line in answer["lines"]] == ["A", "B"]


def test_only_what_differs_of_the_recipes_is_shown(two: list[Run]) -> None:
    rows = {row["field"]: row["values"] for row in differing([run.recipe for run in two])}
    assert rows == {"name": ["small", "large"], "strategy.kwargs.quantity": [1, 100]}
    assert differing([{"a": {"b": 1}}, {}]) == [{"field": "a.b", "values": [1, None]}]


def test_a_session_can_stand_beside_a_backtest_and_may_know_nothing_yet(operator: Client, two: list[Run]) -> None:
    asked = [str(two[0].pk), str(session("fresh").run.pk)]
    shown = operator.get(URL, {"run": asked}).content.decode()
    assert "fresh" in shown
    assert operator.get(f"{URL}lines/", {"run": asked}).json()["lines"][1]["points"] == []


def test_five_are_compared_at_most_and_none_is_an_invitation(operator: Client) -> None:
    runs = [session(f"run {number}").run for number in range(6)]
    asked = [str(run.pk) for run in runs]
    assert operator.get(URL, {"run": asked[:5]}).status_code == 200
    assert operator.get(URL, {"run": asked}).status_code == 404
    assert "Tick two to five rows" in html.unescape(operator.get(URL, {"run": ["made-up"]}).content.decode())
