"""The pages of sweeps: empty, under way, done, refused; and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.test import Client

from access.principals import cli_principal
from tests.sweeps.conftest import SPEC
from trading.models import Run
from trading.sweeps import actions
from trading.sweeps.drawing import heat_map, walked_chart
from trading.sweeps.models import Sweep
from trading.sweeps.running import work

pytestmark = pytest.mark.django_db

URL = "/ui/sweeps/"


@pytest.fixture
def sweep(crossover: dict[str, Any]) -> Sweep:
    return actions.start_sweep(
        crossover, {**SPEC, "walk_forward": {"folds": 3}}, principal=cli_principal(), enqueue=False
    )


@pytest.fixture
def done(sweep: Sweep) -> Sweep:
    work(sweep.id)
    sweep.refresh_from_db()
    return sweep


def body(client: Client, path: str, **options: Any) -> str:
    answer = client.get(path, **options)
    assert answer.status_code == 200
    return answer.content.decode()


def test_empty_it_says_what_to_do_first(operator: Client) -> None:
    assert "Start the first sweep" in body(operator, URL)


def test_a_sweep_under_way_asks_for_its_fragment_again(operator: Client, sweep: Sweep) -> None:
    assert 'hx-trigger="every 1s"' in body(operator, URL)
    assert 'hx-trigger="every 1s"' in body(operator, f"{URL}{sweep.id}/")
    fragment = body(operator, f"{URL}{sweep.id}/", headers={"HX-Request": "true"})
    assert "<html" not in fragment
    assert "waiting for a worker" in fragment


def test_results_are_shown_as_they_come(operator: Client, sweep: Sweep) -> None:
    work(sweep.id, seconds=0)
    page = body(operator, f"{URL}{sweep.id}/")
    assert "1 of 5" in page
    assert 'id="trial-1"' in page
    assert 'id="trial-2"' not in page
    assert "When all trials are done." in page


def test_a_finished_sweep_says_what_the_best_is_worth(operator: Client, done: Sweep) -> None:
    page = body(operator, f"{URL}{done.id}/")
    assert "Of 5 trials the best Sharpe ratio is" in page
    assert "the chance that the best is no better than such luck is" in page
    assert page.count('class="heat__cell heat__cell--') == 5
    assert page.count("not tried") == 1
    assert "Walk-forward" in page
    assert "<polyline" in page
    assert 'id="sweep" hx-get' not in page


def test_the_heat_map_turns_to_other_parameters(operator: Client, done: Sweep) -> None:
    page = body(operator, f"{URL}{done.id}/?x=slow&y=fast&show=best")
    assert "fast ↓ slow →" in page
    assert "fast ↓ slow →" in body(operator, f"{URL}{done.id}/?x=slow&y=slow")
    assert operator.get(f"{URL}{done.id}/?x=luck").status_code == 404


def test_all_trials_are_listed_in_the_order_asked_for(operator: Client, done: Sweep) -> None:
    page = body(operator, f"{URL}{done.id}/trials/?sort=-sharpe")
    assert page.count('id="trial-') == 5
    assert operator.get(f"{URL}{done.id}/trials/?sort=luck").status_code == 404


def test_the_form_begins_with_a_recipe_and_values_around_its_own(operator: Client) -> None:
    page = body(operator, f"{URL}new/?config=sim_sma_cross")
    assert "fast = 5, 10, 20\nslow = 15, 30, 60" in page


def test_the_form_starts_a_sweep(operator: Client, crossover: dict[str, Any]) -> None:
    typed = {
        "recipe": yaml.safe_dump(crossover),
        "parameters": "fast = 2, 5\n\nslow = 20:40:10",
        "where": "fast < slow",
        "search": "grid",
        "objective": "sortino",
        "folds": "0",
    }
    answer = operator.post(f"{URL}new/", typed)
    made = Sweep.objects.get()
    assert answer.headers["Location"] == f"{URL}{made.id}/"
    assert (made.trial_count, made.spec["objective"], made.spec["walk_forward"]) == (6, "sortino", None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"parameters": "fast 2, 5"}, "write a parameter and its values"),
        ({"parameters": "fasst = 2"}, "did you mean fast?"),
        ({"parameters": "fast = 2", "folds": "many"}, "must be a whole number"),
        ({"recipe": "name: x"}, "strategy"),
    ],
)
def test_what_is_wrong_is_told_beside_what_was_typed(
    operator: Client, crossover: dict[str, Any], changed: dict[str, str], told: str
) -> None:
    typed = {"recipe": yaml.safe_dump(crossover), "parameters": "fast = 2, 5", **changed}
    answer = operator.post(f"{URL}new/", typed)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert told in page
    assert typed["parameters"] in page
    assert not Sweep.objects.exists()


def test_a_sweep_is_cancelled_by_its_button(operator: Client, sweep: Sweep) -> None:
    operator.post(f"{URL}{sweep.id}/cancel/", {"sure": "yes"})
    assert "Cancel</button>" not in body(operator, f"{URL}{sweep.id}/")


def test_a_trial_becomes_a_backtest_by_its_button(operator: Client, done: Sweep) -> None:
    answer = operator.post(f"{URL}{done.id}/trials/2/backtest/")
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/ui/runs/{run.id}/"
    assert run.recipe["strategy"]["kwargs"] == {"fast": 2, "slow": 20, "quantity": 10}


def test_a_viewer_sees_no_verb_and_may_not_use_one(viewer: Client, done: Sweep) -> None:
    page = body(viewer, f"{URL}{done.id}/")
    assert '<button type="submit" class="button--small"' not in page
    assert viewer.post(f"{URL}{done.id}/trials/2/backtest/").status_code == 403
    assert viewer.post(f"{URL}{done.id}/cancel/").status_code == 403
    assert viewer.post(f"{URL}new/", {}).status_code == 403


@pytest.mark.parametrize("path", ["", "new/", "{}/", "{}/trials/"])
def test_nobody_is_sent_to_the_log_in(client: Client, sweep: Sweep, path: str) -> None:
    assert "/ui/login/" in client.get(URL + path.format(sweep.id)).headers["Location"]


def test_what_is_not_there_is_not_found(operator: Client, sweep: Sweep) -> None:
    assert operator.get(f"{URL}{sweep.task_id}/").status_code == 200
    assert operator.get(f"{URL}00000000-0000-0000-0000-000000000000/").status_code == 404
    assert operator.post(f"{URL}{sweep.id}/trials/99/backtest/").status_code == 404


def test_cells_hold_the_median_or_the_best_of_the_trials_that_share_them() -> None:
    trials = [({"a": 1, "b": 1}, 1.0), ({"a": 1, "b": 2}, 4.0), ({"a": 1, "b": 3}, -2.0), ({"a": 2, "b": 1}, -4.0)]
    found, best = heat_map(trials, "a", None), heat_map(trials, "a", None, "best")
    assert found is not None
    assert best is not None
    assert [(one["column"], one["score"], one["count"]) for one in found["rows"][0]["cells"]] == [
        ("1", 1.0, 3),
        ("2", -4.0, 1),
    ]
    assert [one["shade"] for one in found["rows"][0]["cells"]] == ["1", "m4"]
    assert [one["score"] for one in best["rows"][0]["cells"]] == [4.0, -4.0]


def test_many_values_are_put_into_bins() -> None:
    found = heat_map([({"a": at / 10, "b": at % 2 == 0}, 1.0) for at in range(121)], "a", "b")
    assert found is not None
    assert len(found["columns"]) == 12
    assert found["columns"][0] == "0 to 1"
    assert [row["label"] for row in found["rows"]] == ["False", "True"]
    assert sum(cell["count"] for row in found["rows"] for cell in row["cells"]) == 121


def test_a_curve_fills_its_box() -> None:
    found = walked_chart([[0, 1.0, 1.0], [10, 0.5, 1.5]])
    assert found is not None
    assert found["walked"] == "0.0,100.0 720.0,200.0"
    assert found["hindsight"] == "0.0,100.0 720.0,0.0"
    assert (found["low"], found["zero"], found["high"]) == (-0.5, 100.0, 0.5)
