"""A session that is lost amid its run is gone on with by another, and its ledger is that of one that was never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.trading.market import recipe, write_bars
from tests.trading.market import replay as replay_feed
from tests.trading.sessions import Frames, Gatehouse, gatehouse, new_run
from trading import host, ledger, recipes, runner, supervisor
from trading.connections import connect
from trading.endings import STOPPED
from trading.lease import Lease, claim
from trading.ledger import LeaseLost
from trading.models import Run, RunStatus
from trading.paper_trading import PaperTradingSession
from trading.recipes.reading import FOLDER
from trading.recovery import CannotResume
from trading.replay import replay
from trading.summary import RunSummary

pytestmark = pytest.mark.django_db(transaction=True)

CROSS = {"fast": 5, "slow": 20, "quantity": 10}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


@pytest.fixture
def start(house: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PaperTradingSession]:
    """Builds the session of a claimed run as a worker does."""
    monkeypatch.setattr(runner, "shared_gate", lambda path: house.gate)
    monkeypatch.setattr(runner, "gate_watcher", lambda: house.watcher)
    monkeypatch.setattr(ledger, "writer", lambda: house.writer)

    def build(run: Run, lease: Lease, frames: Frames | None = None) -> PaperTradingSession:
        return runner.session(Run.objects.get(pk=run.pk), lease, frames or Frames())

    return build


def queued(document: dict[str, Any]) -> tuple[Run, Lease]:
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(recipe=recipes.redacted(recipes.parse(document)), venue="sim")
    return run, lease


def lose(session: PaperTradingSession, bars: int) -> None:
    """Run the session up to a bar, at which it loses all that it has not written, as with the death of its process."""
    append = session._journal._append

    def gone(final: bool) -> Any:
        if session.engine.bars >= bars:
            raise LeaseLost(session.run_id)
        return append(final)

    session._journal._append = gone  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        asyncio.run(session.run())


def taken(run: Run) -> Lease:
    """The run in the hands of the next owner."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET status = 'queued' WHERE id = %s", [run.pk])
    lease = claim(run.pk)
    assert lease is not None
    lease.valid_until += 600
    return lease


def finish(session: PaperTradingSession) -> RunSummary:
    return asyncio.run(asyncio.wait_for(session.run(), 60))


def told(run: Run) -> dict[str, Any]:
    """What a run has left, without what differs from one run to the next."""
    row = Run.objects.get(pk=run.pk)
    points = list(row.equity.order_by("time").values_list("time", "equity", "cash"))
    orders = row.orders.order_by("seq").values_list("symbol", "side", "qty", "status", "filled_qty", "avg_fill_price")
    names = ("status", "ledger_hash", "num_bars", "num_fills", "total_pnl", "cash")
    return {"points": points, "orders": list(orders), **{name: getattr(row, name) for name in names}}


def kept(run: Run) -> int:
    with connect() as database:
        row = database.execute("SELECT coalesce(sum(count), 0) FROM run_bars WHERE run_id = %s", [run.pk]).fetchone()
    return 0 if row is None else int(row[0])


def document(path: Path, **options: Any) -> dict[str, Any]:
    made = recipe(replay_feed(path), strategy_kwargs=CROSS, **options)
    made["brokerage"]["kwargs"] |= {"slippage": {"bps": 2}, "fees": {"per_share": "0.005"}, "latency_ms": 500}
    return made


def test_its_ledger_is_that_of_a_run_that_was_never_lost(start: Callable[..., Any], tmp_path: Path) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=150)
    one, lease = queued(document(path))
    finish(start(one, lease))
    other, lease = queued(document(path))
    for bars in (7, 60, 61, 200):
        lose(start(other, lease), bars)
        lease = taken(other)
    frames = Frames()
    finish(start(other, lease, frames))
    assert told(other) == told(one)
    assert told(one)["num_fills"] > 6
    assert "start" not in frames.stages
    assert frames.stages[-1] == "done"
    assert ledger.verify(other.pk).ok
    report = replay(Run.objects.get(pk=other.pk))
    assert report.same, report.difference
    assert report.ledger_hash == told(one)["ledger_hash"]


SHIPPED = sorted(path.stem for path in FOLDER.glob("sim_*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_decides_next_what_it_would_have(start: Callable[..., Any], name: str) -> None:
    made = recipes.redacted(recipes.load_named(name))
    made["feed"]["kwargs"] |= {"pace": "max"} if made["feed"]["class"] == "SyntheticFeed" else {}
    made["session"] |= {"max_bars": 250, "duration_minutes": None}
    one, lease = queued(made)
    finish(start(one, lease))
    other, lease = queued(made)
    lose(start(other, lease), 130)
    finish(start(other, taken(other)))
    assert told(other) == told(one)


def test_bars_that_no_fact_comes_of_are_kept_all_the_same(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.journal.KEEP_SECONDS", 0.01)
    made = document(write_bars(tmp_path / "bars.csv", minutes=10), state_flush_every_bars=1000)
    run, lease = queued(made)
    session = start(run, lease)
    some = session._bars

    async def then_nothing(wake: asyncio.Event) -> Any:
        async for bar in some(wake):
            yield bar
        while await asyncio.to_thread(kept, run) < session.engine.bars:  # noqa: ASYNC110  (the database rings no bell)
            await asyncio.sleep(0.005)

    session._bars = then_nothing
    assert finish(session).fills == 0


def test_bounds_count_from_the_beginning_of_the_run(start: Callable[..., Any], tmp_path: Path) -> None:
    run, lease = queued(document(write_bars(tmp_path / "bars.csv", minutes=60), max_bars=50))
    lose(start(run, lease), 30)
    assert finish(start(run, taken(run))).bars == 50


def test_one_that_was_to_stop_ends_as_stopped(start: Callable[..., Any], tmp_path: Path) -> None:
    run, lease = queued(document(write_bars(tmp_path / "bars.csv", minutes=60)))
    lose(start(run, lease), 30)
    session = start(run, taken(run))
    session.stop()
    summary = finish(session)
    assert (summary.status, summary.reason) == (RunStatus.STOPPED, "stopped by an operator")
    assert not Run.objects.get(pk=run.pk).orders.exclude(status__in=["filled", "cancelled", "denied"]).exists()


def test_one_that_was_draining_ends_as_it_was_to(start: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"levels": 3, "step_bps": 300, "quantity": 5}
    path = write_bars(tmp_path / "bars.csv", minutes=60)
    run, lease = queued(recipe(replay_feed(path), "LimitLadderStrategy", strategy_kwargs=settings))
    session = start(run, lease)
    finish_bar = session._on_bar

    async def stopped(bar: Any) -> None:
        await finish_bar(bar)
        if session.engine.bars == 20:
            session._end(STOPPED)
            await session._journal.commit()
            session._journal._append = lost

    def lost(final: bool) -> None:
        raise LeaseLost(run.pk)

    session._on_bar = stopped
    with pytest.raises(LeaseLost):
        asyncio.run(session.run())
    assert Run.objects.get(pk=run.pk).status == RunStatus.DRAINING
    summary = finish(start(run, taken(run)))
    assert (summary.status, summary.bars) == (RunStatus.STOPPED, 20)
    report = replay(Run.objects.get(pk=run.pk))
    assert report.same, report.difference


def test_a_run_whose_recipe_was_changed_is_not_resumed(start: Callable[..., Any], tmp_path: Path) -> None:
    run, lease = queued(document(write_bars(tmp_path / "bars.csv", minutes=60)))
    lose(start(run, lease), 60)
    changed = Run.objects.get(pk=run.pk).recipe
    changed["strategy"]["kwargs"]["quantity"] = 11
    Run.objects.filter(pk=run.pk).update(recipe=changed)
    with pytest.raises(CannotResume, match=r"fact 1: .* the replay another order\.collateral, order\.qty|order\.qty"):
        start(run, taken(run))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second look at a lost run, nor tells of it."""
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor.dispatch, "send", lambda run: None)
    monkeypatch.setattr(supervisor, "raise_alert", lambda *_: None)


def expire(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])
    assert supervisor.take_from_lost() == [run.pk]


@pytest.mark.usefixtures("impatient")
def test_one_whose_connection_is_cut_while_it_is_brought_to_where_it_was_is_the_next_owners(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lease = queued(document(write_bars(tmp_path / "bars.csv", minutes=60)))
    lose(start(run, lease), 30)
    expire(run)
    read_seen = ledger.read_seen

    def cut(database: psycopg.Connection[Any], run_id: Any) -> Any:
        monkeypatch.setattr(ledger, "read_seen", read_seen)
        database.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(ledger, "read_seen", cut)
    assert host.run_session(run.pk) is None
    assert Run.objects.get(pk=run.pk).status == RunStatus.STARTING
    expire(run)
    summary = host.run_session(run.pk)
    assert summary is not None
    assert summary.status == RunStatus.COMPLETED


@pytest.mark.usefixtures("impatient")
def test_one_that_the_database_fails_each_time_is_not_tried_for_ever(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lease = queued(document(write_bars(tmp_path / "bars.csv", minutes=60)))
    lose(start(run, lease), 30)
    expire(run)

    def fail(*_: Any) -> None:
        raise psycopg.OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(ledger, "read_seen", fail)
    for _ in range(supervisor.SESSION_ATTEMPTS - 1):
        assert host.run_session(run.pk) is None
        expire(run)
    row = Run.objects.get(pk=run.pk)
    assert row.status == RunStatus.INTERRUPTED
    assert "lost 5 owners without a new bar" in row.reason


def test_a_feed_that_gives_other_bars_is_not_gone_on_with(start: Callable[..., Any], tmp_path: Path) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=60)
    run, lease = queued(document(path))
    lose(start(run, lease), 60)
    write_bars(path, minutes=60, seed=2)
    with pytest.raises(CannotResume, match="the feed has changed since"):
        start(run, taken(run))
