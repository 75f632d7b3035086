"""From a plan to figures: nothing is lost, nothing is counted twice, and a trial is what a full backtest would be."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from access.models import AuditEntry
from access.principals import cli_principal
from tests.sweeps.conftest import SPEC
from trading import host
from trading.engine.errors import InvalidValue
from trading.recipes import RecipeError
from trading.sweeps import actions, hints, queries
from trading.sweeps.claims import MOST_ATTEMPTS, Claim
from trading.sweeps.models import Sweep
from trading.sweeps.running import finish, work

pytestmark = pytest.mark.django_db


def start(recipe: dict[str, Any], **spec: Any) -> Sweep:
    return actions.start_sweep(recipe, {**SPEC, **spec}, principal=cli_principal(), enqueue=False)


def statuses(sweep: Sweep) -> tuple[str, int]:
    sweep.refresh_from_db()
    return sweep.status, sweep.trials.filter(done_at__isnull=False).count()


def lose(sweep_id: UUID) -> None:
    """As if the owners of all that is claimed had not been heard of for a minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sweep_trials SET lease_expires_at = now() - interval '1 minute'"
            " WHERE sweep_id = %s AND lease_expires_at IS NOT NULL",
            [sweep_id],
        )


def test_a_sweep_is_run_to_its_end(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    assert work(sweep.id) is False
    assert statuses(sweep) == ("completed", 5)
    detail = queries.sweep_detail(sweep)
    assert detail["skipped_reasons"] == {"fast must be at least 1 and less than slow": 1}
    assert detail["best"]["score"] == max(one.score for one in sweep.trials.all())
    assert detail["luck"]["trials"] == 5
    assert 0 <= detail["luck"]["deflated_sharpe"] <= detail["luck"]["probabilistic_sharpe"] <= 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [1, 4])
def test_a_trial_has_the_figures_of_a_full_backtest(crossover: dict[str, Any], number: int) -> None:
    sweep = start(crossover)
    work(sweep.id)
    trial = queries.trial(sweep.id, number)
    assert trial is not None
    run = actions.promote_trial(trial, principal=cli_principal(), enqueue=False)
    summary = host.run_backtest(run.id)
    assert summary is not None
    assert summary.ledger_hash == trial.ledger_hash != ""
    assert summary.fills == trial.figures["fills"] > 0
    assert trial.figures["final_equity"] == summary.as_dict()["final_equity"]
    run.refresh_from_db()
    figures = {name: value for name, value in run.metrics.items() if name not in ("feed", "benchmark")}
    assert {name: trial.figures[name] for name in figures} == figures


def test_an_order_size_and_a_limit_matter_in_a_trial_as_in_a_backtest(crossover: dict[str, Any]) -> None:
    crossover["risk"] = {"max_position_value": 1000}
    sweep = actions.start_sweep(
        crossover, {"parameters": {"quantity": [10, 1000]}}, principal=cli_principal(), enqueue=False
    )
    work(sweep.id)
    small, large = (one.figures["fills"] for one in sweep.trials.order_by("number"))
    assert small > large


def test_time_that_is_up_leaves_the_rest_to_the_next(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    assert work(sweep.id, seconds=0) is True
    assert statuses(sweep) == ("running", 1)
    assert work(sweep.id) is False
    assert statuses(sweep) == ("completed", 5)


def test_two_workers_never_hold_the_same_trial(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    one, other = Claim(sweep.id, 3, {}), Claim(sweep.id, 3, {})
    assert [trial.number for trial in one.trials] == [1, 2, 3]
    assert [trial.number for trial in other.trials] == [4, 5]
    assert Claim(sweep.id, 3, {}).trials == []


def test_the_trials_of_a_lost_worker_are_taken_again_and_it_writes_no_more(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    lost = Claim(sweep.id, 2, {"times": [], "per_year": 1.0})
    lose(sweep.id)
    work(sweep.id)
    assert statuses(sweep) == ("completed", 5)
    before = sweep.trials.get(number=1)
    assert lost.fail(1, "too late") is False
    assert sweep.trials.get(number=1).ledger_hash == before.ledger_hash != ""


def test_a_trial_that_takes_its_workers_down_is_given_up(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    for _ in range(MOST_ATTEMPTS):
        Claim(sweep.id, 1, {"times": [], "per_year": 1.0}).start(1)
        lose(sweep.id)
    work(sweep.id)
    assert statuses(sweep) == ("completed", 5)
    assert sweep.trials.get(number=1).error == "its worker was lost 3 times; it was not tried again"
    assert queries.sweep_detail(sweep)["failed"] == 1


def test_what_is_released_is_free_at_once_and_counts_no_attempt(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    claim = Claim(sweep.id, 2, {})
    claim.start(1)
    claim.release()
    assert [(one.number, one.attempts) for one in Claim(sweep.id, 2, {}).trials] == [(1, 0), (2, 0)]


def test_a_cancelled_sweep_keeps_what_is_done_and_takes_no_more(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    work(sweep.id, seconds=0)
    claim = Claim(sweep.id, 1, {})
    actions.cancel_sweep(sweep, principal=cli_principal())
    assert claim.fail(2, "too late") is False
    claim._renewed = 0.0
    assert claim.holds() is False
    assert work(sweep.id) is False
    assert statuses(sweep) == ("cancelled", 1)
    assert sweep.ended_at is not None


def test_an_ended_sweep_stays_as_it_ended(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    work(sweep.id)
    assert actions.cancel_sweep(sweep, principal=cli_principal()).status == "completed"


def test_the_last_trial_of_a_lost_worker_still_ends_the_sweep(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    work(sweep.id, seconds=0)
    # All trials are done, and whoever did the last one died before it could say so.
    sweep.trials.filter(done_at__isnull=True).update(done_at=timezone.now())
    assert finish(sweep.id)
    assert statuses(sweep)[0] == "completed"


def test_bars_that_cannot_be_read_any_more_end_the_sweep_with_the_reason(
    crossover: dict[str, Any], tmp_path: Path
) -> None:
    copy = tmp_path / "bars.csv"
    copy.write_text(Path(crossover["feed"]["kwargs"]["path"]).read_text())
    crossover["feed"]["kwargs"]["path"] = str(copy)
    sweep = start(crossover)
    copy.unlink()
    work(sweep.id)
    assert statuses(sweep) == ("failed", 0)
    assert "bars.csv" in sweep.reason


def test_a_strategy_that_fails_on_one_combination_fails_that_trial_alone(
    crossover: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading.strategies.sma_cross import SmaCrossStrategy

    healthy = SmaCrossStrategy.on_bar

    def on_bar(self: SmaCrossStrategy, bar: Any, context: Any) -> Any:
        if self.fast == 5:
            raise ZeroDivisionError("by the fast one")
        return healthy(self, bar, context)

    monkeypatch.setattr(SmaCrossStrategy, "on_bar", on_bar)
    sweep = start(crossover)
    work(sweep.id)
    assert statuses(sweep) == ("completed", 5)
    failed = sweep.trials.exclude(error="")
    assert {one.params["fast"] for one in failed} == {5}
    assert failed[0].error == "ZeroDivisionError: by the fast one"
    with pytest.raises(InvalidValue, match="failed, and so would its backtest"):
        actions.promote_trial(failed[0], principal=cli_principal())


def test_walk_forward_chooses_among_the_trials_and_compares(crossover: dict[str, Any]) -> None:
    sweep = start(crossover, walk_forward={"folds": 4})
    work(sweep.id)
    walked = queries.sweep_detail(Sweep.objects.get(pk=sweep.id))["walk_forward"]
    assert len(walked["folds"]) == 4
    assert {fold["number"] for fold in walked["folds"]} <= {1, 2, 3, 4, 5}
    assert walked["curve"][-1][1] == pytest.approx(1 + walked["total_return"])
    for one, other in pairwise(walked["folds"]):
        assert one["from"] < one["test"] < one["to"] < other["to"]


def test_a_sweep_that_nobody_works_on_is_told_of_again_now_and_then(
    crossover: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(hints.current_app, "send_task", lambda name, args, **options: told.extend(args))
    sweep = start(crossover, workers=2)
    assert hints.call_again() == []
    Sweep.objects.filter(pk=sweep.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    assert hints.call_again() == [sweep.id]
    assert told == [str(sweep.id)] * 2
    assert hints.call_again() == []
    Sweep.objects.filter(pk=sweep.pk).update(sent_at=timezone.now() - timedelta(minutes=1))
    held = Claim(sweep.id, 1, {})
    assert hints.call_again() == []
    held.release()
    assert hints.call_again() == [sweep.id]


def test_a_broker_that_is_away_costs_a_sweep_nothing_but_time(
    crossover: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **options: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(hints.current_app, "send_task", away)
    sweep = actions.start_sweep(crossover, SPEC, principal=cli_principal())
    assert statuses(sweep) == ("queued", 0)


def test_who_started_and_cancelled_is_kept(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    actions.cancel_sweep(sweep, principal=cli_principal())
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == ["sweep.start", "sweep.cancel"]


def test_a_bad_spec_starts_nothing(crossover: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        start(crossover, parameters={"fasst": [1]})
    assert not Sweep.objects.exists()


def test_an_endless_feed_is_refused(crossover: dict[str, Any]) -> None:
    crossover["feed"] = {"class": "SyntheticFeed", "kwargs": {"seed": 1, "timeframe": "1Min", "pace": "max"}}
    with pytest.raises(InvalidValue, match="max_bars"):
        start(crossover)


def test_trials_are_listed_by_number_and_by_figure_page_by_page(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    work(sweep.id)
    first = queries.trials(sweep, "-score", limit=3)
    second = queries.trials(sweep, "-score", first["next"], limit=3)
    scores = [one["score"] for one in first["items"] + second["items"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 5
    assert second["next"] is None
    with pytest.raises(InvalidValue, match="sort is one of"):
        queries.trials(sweep, "luck")


def test_the_time_left_goes_by_the_pace_so_far(crossover: dict[str, Any]) -> None:
    sweep = start(crossover)
    now = timezone.now()
    sweep.status, sweep.started_at = "running", now - timedelta(seconds=6)
    assert queries.seconds_left(sweep, 2, now) == 9.0
    assert queries.seconds_left(sweep, 0, now) is None
