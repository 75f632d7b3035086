"""A backtest as a job: it tells how far it is, stops when asked, and is not lost with its worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from access.principals import cli_principal
from tests.risk.waiting import eventually
from tests.trading.market import recipe, replay, write_bars
from trading import actions, connections, host, ledger, supervisor
from trading.feeds.base import FeedError
from trading.feeds.synthetic import SyntheticFeed
from trading.lease import LeaseKeeper, claim, keeper
from trading.ledger import LeaseLost
from trading.models import Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor.dispatch, "send", lambda run: None)


def queued(bars: int = 8_000, **options: Any) -> Run:
    feed = {"class": "SyntheticFeed", "kwargs": {"seed": 3, "timeframe": "1Min", "pace": "max", "bars": bars}}
    return actions.start_backtest(recipe(feed, **options), principal=cli_principal(), enqueue=False)


def again(run: Run) -> Run:
    run.refresh_from_db()
    return run


def expire(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])


class Watched:
    """The frames of a run; ``on_bar`` is called at its first progress."""

    def __init__(self, on_bar: Any = lambda: None) -> None:
        self.frames: list[tuple[str, dict[str, Any]]] = []
        self._on_bar = on_bar

    def __call__(self, stage: str, message: str, time: int | None, **extras: Any) -> None:
        first = stage == "bar.processed" and not self.of(stage)
        self.frames.append((stage, extras))
        if first:
            self._on_bar()

    def of(self, stage: str) -> list[dict[str, Any]]:
        return [extras for told, extras in self.frames if told == stage]


def test_it_tells_how_far_it_is_how_long_it_takes_and_what_came_of_it() -> None:
    run, watched = queued(), Watched()
    summary = host.run_backtest(run.pk, watched)
    assert summary is not None
    assert [stage for stage, _ in watched.frames] == ["start", *["bar.processed"] * 8, "done"]
    steps = watched.of("bar.processed")
    assert [one["bars"] for one in steps] == list(range(2000, 16_001, 2000))
    assert {one["total"] for one in steps} == {16_000}
    assert steps[0]["seconds_left"] >= steps[-1]["seconds_left"] == 0
    (done,) = watched.of("done")
    assert (done["run_id"], done["result"]["ledger_hash"]) == (str(run.pk), again(run).ledger_hash)


def test_a_short_one_tells_of_its_last_bar_too() -> None:
    watched = Watched()
    host.run_backtest(queued(1_050).pk, watched)
    assert [one["bars"] for one in watched.of("bar.processed")] == [2000, 2100]
    assert watched.of("bar.processed")[-1]["seconds_left"] == 0


def test_a_bound_is_the_total() -> None:
    watched = Watched()
    host.run_backtest(queued(max_bars=3000).pk, watched)
    assert watched.of("bar.processed")[0]["total"] == 3000


def test_one_that_is_stopped_in_the_queue_never_begins() -> None:
    run = queued()
    actions.stop(run, principal=cli_principal())
    assert host.run_backtest(run.pk) is None
    assert again(run).status == RunStatus.STOPPED


def test_one_that_is_stopped_while_it_runs_ends_within_a_second_and_keeps_what_it_has() -> None:
    run, asked = queued(1_000_000), []

    def stop() -> None:
        asked.append(time.monotonic())
        actions.stop(run, principal=cli_principal())

    summary = host.run_backtest(run.pk, Watched(stop))
    assert time.monotonic() - asked[0] < 1.0
    assert summary is not None
    assert (summary.status, again(run).status) == ("stopped", RunStatus.STOPPED)
    assert 0 < summary.bars < 2_000_000
    assert "stopped by an operator" in summary.reason
    assert ledger.verify(run.pk).ok


def test_one_that_is_stopped_while_it_reads_its_data_does_not_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    run, reading, let_go = queued(), threading.Event(), threading.Event()

    def prepare(feed: SyntheticFeed) -> None:
        reading.set()
        let_go.wait(30)

    def stop() -> None:
        reading.wait(30)
        actions.stop(run, principal=cli_principal())
        connection.close()

    monkeypatch.setattr(SyntheticFeed, "prepare", prepare)
    operator = threading.Thread(target=stop)
    operator.start()
    summary = host.run_backtest(run.pk)
    operator.join()
    assert not let_go.is_set()
    let_go.set()
    assert summary is not None
    assert (summary.status, summary.bars) == ("stopped", 0)


def test_data_that_went_bad_meanwhile_fails_it_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    run = queued()

    def prepare(feed: SyntheticFeed) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(SyntheticFeed, "prepare", prepare)
    host.run_backtest(run.pk)
    assert (again(run).status, run.reason) == (RunStatus.FAILED, "OSError: the disk is gone")


def test_one_that_lost_its_worker_is_begun_again_and_comes_to_the_same() -> None:
    undisturbed, run = queued(), queued()
    host.run_backtest(undisturbed.pk)
    lease = claim(run.pk)
    assert lease is not None
    expire(run)
    assert supervisor.take_from_lost() == [run.pk]
    assert again(run).status == RunStatus.QUEUED
    assert "begun again" in run.reason
    with pytest.raises(LeaseLost):
        ledger.append_now(run.pk, [], token=lease.token)
    host.run_backtest(run.pk)
    assert (again(run).status, run.reason) == (RunStatus.COMPLETED, "the feed ended")
    assert run.ledger_hash == again(undisturbed).ledger_hash
    assert ledger.verify(run.pk).ok


def test_one_that_loses_every_worker_is_given_up() -> None:
    run = queued()
    for _ in range(supervisor.BACKTEST_ATTEMPTS):
        assert claim(run.pk) is not None
        expire(run)
        supervisor.take_from_lost()
    assert again(run).status == RunStatus.FAILED
    assert "lost 3 workers" in run.reason
    assert run.ended_at is not None


def test_one_that_was_stopped_before_its_worker_was_lost_is_not_begun_again() -> None:
    run = queued()
    claim(run.pk)
    actions.stop(run, principal=cli_principal())
    expire(run)
    supervisor.take_from_lost()
    assert again(run).status == RunStatus.STOPPED


@pytest.fixture
def released() -> Iterator[None]:
    yield
    keeper().draining = False


def test_a_worker_that_is_told_to_end_leaves_it_to_another(released: None) -> None:
    run = queued(50_000)
    assert host.run_backtest(run.pk, Watched(host.stop_all), hand_back=True) is None
    assert again(run).status == RunStatus.QUEUED
    keeper().draining = False
    host.run_backtest(run.pk, hand_back=True)
    assert again(run).status == RunStatus.COMPLETED
    assert run.num_bars == 100_000


def test_in_a_shell_it_stops_at_ctrl_c(released: None) -> None:
    run = queued(50_000)
    host.run_backtest(run.pk, Watched(host.stop_all))
    assert again(run).status == RunStatus.STOPPED


def test_a_lease_does_not_run_out_while_a_long_append_holds_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.lease.LEASE_SECONDS", 0.4)
    run = queued()
    lease = claim(run.pk)
    assert lease is not None
    made = LeaseKeeper()
    made._leases[run.pk] = lease
    with connections.connect() as appending, connections.connect(autocommit=True) as renewing:
        appending.execute("UPDATE runs SET num_bars = 1 WHERE id = %s", [run.pk])
        thread = threading.Thread(target=made._renew, args=[renewing])
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = %s"
        eventually(lambda: appending.execute(waiting, [renewing.info.backend_pid]).fetchone() == (1,))
        over = "SELECT lease_expires_at < clock_timestamp() - interval '0.5 s' FROM runs WHERE id = %s"
        eventually(lambda: appending.execute(over, [run.pk]).fetchone() == (True,))
        appending.commit()
        thread.join()
        held = "SELECT lease_expires_at > clock_timestamp() FROM runs WHERE id = %s"
        assert renewing.execute(held, [run.pk]).fetchone() == (True,)


def test_of_much_data_only_the_beginning_is_read_before_the_answer_and_the_rest_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=60)
    path.write_text(path.read_text() + "yesterday,SPY,1,1,1,1,1\n")
    monkeypatch.setattr("trading.feeds.replay.AT_ONCE", 0)
    monkeypatch.setattr("trading.feeds.reading._CSV_BYTES", 1000)
    run = actions.start_backtest(recipe(replay(path)), principal=cli_principal(), enqueue=False)
    host.run_backtest(run.pk)
    lines = len(path.read_text().splitlines())
    assert again(run).status == RunStatus.FAILED
    assert f"{path}, line {lines}: timestamp 'yesterday' is not a time" in again(run).reason


@pytest.mark.parametrize(("at_once", "thorough"), [(4_000_000, False), (0, True)])
def test_bad_data_starts_nothing_where_all_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, thorough: bool
) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=60)
    path.write_text(path.read_text() + "yesterday,SPY,1,1,1,1,1\n")
    monkeypatch.setattr("trading.feeds.replay.AT_ONCE", at_once)
    monkeypatch.setattr("trading.feeds.reading._CSV_BYTES", 1000)
    with pytest.raises(FeedError, match="timestamp 'yesterday' is not a time"):
        actions.start_backtest(recipe(replay(path)), principal=cli_principal(), enqueue=False, thorough=thorough)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "there is no such file"), ("timestamp,symbol\n", "has no column open")]
)
def test_a_file_that_cannot_be_what_it_should_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, reason: str
) -> None:
    monkeypatch.setattr("trading.feeds.replay.AT_ONCE", -1)
    path = tmp_path / "bars.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FeedError, match=reason):
        actions.start_backtest(recipe(replay(path)), principal=cli_principal(), enqueue=False)
    assert not Run.objects.exists()
