"""A recorded run gives the same again, from its own bars; where it does not, the first difference is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from django.db import connection

from access.principals import cli_principal
from risk.gate import Verdict
from tests.risk.waiting import eventually
from tests.trading.market import recipe, write_bars
from tests.trading.market import replay as replay_feed
from tests.trading.sessions import Feed, Gatehouse, feed_of, gatehouse, new_run, session
from tests.trading.sessions import run as run_session
from trading import actions, host, recipes, supervisor
from trading.endings import STOPPED
from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue
from trading.engine.risk import Denial
from trading.models import Mode, Run, RunBars, RunStatus
from trading.paper_trading import PaperTradingSession
from trading.parts import assemble
from trading.recipes.reading import FOLDER
from trading.recovery import Recovered
from trading.replay import replay
from trading.rows import order_row
from trading.strategies import STRATEGIES as STRATEGIES_BY_NAME

pytestmark = pytest.mark.django_db(transaction=True)

DENIAL = Denial(code="gate_stale", message="the order gate has no fresh reading of the kill switch")
CROSS = {"fast": 5, "slow": 20, "quantity": 10}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_bars(tmp_path_factory.mktemp("bars") / "bars.csv", minutes=240))


def made(house: Gatehouse, document: dict[str, Any], feed: Feed | None = None, **options: Any) -> PaperTradingSession:
    """A session of a recipe in this process."""
    read = recipes.parse(document)
    parts = assemble(read)
    parts.prepare()
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(recipe=recipes.redacted(read))
    return session(
        house,
        parts.strategy,
        feed or feed_of(parts.bars()),
        run_id=run.pk,
        lease=lease,
        start=Recovered(parts.engine(run.pk)),
        brokerage=parts.brokerage,
        stop_on_kill=read.session.stop_on_kill_switch,
        interval=parts.feed.interval,
        **options,
    )


def row(of: PaperTradingSession) -> Run:
    return Run.objects.get(pk=of.run_id)


STRATEGIES = {
    "SmaCrossStrategy": CROSS,
    "MeanReversionStrategy": {"window": 20, "entry_z": 1.5},
    "LimitLadderStrategy": {"levels": 3, "step_bps": 20, "quantity": 5},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_session_gives_the_same_again(house: Gatehouse, bars: str, strategy: str) -> None:
    document = recipe(replay_feed(bars), strategy, strategy_kwargs=STRATEGIES[strategy])
    document["brokerage"]["kwargs"] |= {"slippage": {"bps": 2}, "fees": {"per_share": "0.005"}, "latency_ms": 500}
    over = made(house, document)
    summary = run_session(over)
    report = replay(row(over))
    assert report.same, report.difference
    assert report.note == ""
    assert (report.bars, report.ledger_hash) == (summary.bars, summary.ledger_hash)
    assert report.facts > summary.fills > 0


@pytest.mark.parametrize(
    "sizing",
    [
        {"method": "volatility_target", "annual_vol": "0.02", "window": 20},
        {"method": "kelly", "kind": "discrete", "min_trades": 4, "initial": "0.04"},
    ],
    ids=lambda sizing: sizing["method"],
)
def test_a_session_whose_orders_are_sized_gives_the_same_again(
    house: Gatehouse, bars: str, sizing: dict[str, Any]
) -> None:
    kwargs = {"window": 5, "entry_z": 1.0, "exit_z": 0.5}
    document = {**recipe(replay_feed(bars), "MeanReversionStrategy", strategy_kwargs=kwargs), "sizing": sizing}
    over = made(house, document)
    summary = run_session(over)
    report = replay(row(over))
    assert report.same, report.difference
    assert report.facts > summary.fills > 6
    told = {order["sizing"] for order in map(order_row, row(over).orders.all())}
    assert "closes what is held, as asked" in told
    assert len(told) > 3
    assert set(row(over).state["sizing"]) == {"closes", "trades", "won", "lost"}


def shipped() -> dict[str, str]:
    """A shipped recipe of each strategy that brings its own bars, by the strategy."""
    read = {name: recipes.load_named(name) for name in sorted(path.stem for path in FOLDER.glob("*.yaml"))}
    return {one.strategy.cls: name for name, one in read.items() if one.brokerage.cls == "SimulatedBrokerage"}


@pytest.mark.parametrize("strategy", sorted(STRATEGIES_BY_NAME))
def test_a_session_of_each_shipped_strategy_gives_the_same_again(house: Gatehouse, strategy: str) -> None:
    read = recipes.load_named(shipped()[strategy])
    document = recipes.redacted(read)
    document["session"] |= {"max_bars": 300, "duration_minutes": None}
    over = made(house, document)
    summary = run_session(over)
    report = replay(row(over))
    assert report.same, report.difference
    assert (report.bars, report.ledger_hash) == (summary.bars, summary.ledger_hash)


def test_the_file_that_fed_it_is_not_needed_again(house: Gatehouse, tmp_path: Any) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=60)
    over = made(house, recipe(replay_feed(path)))
    run_session(over)
    path.unlink()
    assert replay(row(over)).same


def test_a_halted_session_gives_the_same_again(house: Gatehouse, bars: str) -> None:
    over = made(house, recipe(replay_feed(bars), risk={"max_drawdown": "0.00001"}))
    assert run_session(over).status == "halted"
    report = replay(row(over))
    assert report.same, report.difference


def ladder(bars: str, **options: Any) -> dict[str, Any]:
    return recipe(
        replay_feed(bars),
        "LimitLadderStrategy",
        strategy_kwargs={"levels": 3, "step_bps": 20, "quantity": 5},
        **options,
    )


def some(bars: str, count: int) -> list[Bar]:
    parts = assemble(recipes.parse(recipe(replay_feed(bars))))
    parts.prepare()
    return list(parts.bars())[:count]


def test_a_stopped_session_gives_the_same_again_with_its_cancels(house: Gatehouse, bars: str) -> None:
    over: PaperTradingSession
    over = made(house, ladder(bars), feed_of(some(bars, 30), then=lambda: over.stop(), waits=True))
    assert run_session(over).status == "stopped"
    assert row(over).orders.filter(status="cancelled").exists()
    report = replay(row(over))
    assert report.same, report.difference


def test_one_that_was_stopped_while_its_orders_were_on_their_way_gives_the_same_again(
    house: Gatehouse, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = made(house, ladder(bars))
    commit = over._journal.commit

    async def stopped_meanwhile(final: bool = False) -> None:
        if over.engine.bars == 1:
            over._end(STOPPED)
        await commit(final)

    monkeypatch.setattr(over._journal, "commit", stopped_meanwhile)
    assert run_session(over).status == "stopped"
    assert set(row(over).orders.values_list("status", flat=True)) == {"cancelled"}
    report = replay(row(over))
    assert report.same, report.difference


@pytest.mark.parametrize("stops", [True, False])
def test_a_kill_is_replayed_where_it_came(house: Gatehouse, bars: str, stops: bool) -> None:
    def engage() -> None:
        house.engaged = True
        eventually(lambda: house.gate.read().verdict is Verdict.ENGAGED)

    seen = some(bars, 60)

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        for number, one in enumerate(seen):
            if number == 30:
                engage()
                while not killed(over):  # noqa: ASYNC110  (a session tells nobody that it has heard)
                    await asyncio.sleep(0.005)
            if wake.is_set():
                yield None
            yield one

    def killed(one: PaperTradingSession) -> bool:
        return one._heed.kill_epoch >= 0 and (stops or not one.engine.open_orders())

    over = made(house, ladder(bars, stop_on_kill_switch=stops), feed)
    try:
        assert run_session(over).status == ("killed" if stops else "completed")
    finally:
        house.engaged = False
        eventually(lambda: house.gate.verdict() is Verdict.OPEN)
    report = replay(row(over))
    assert report.same, report.difference


def test_an_order_that_the_gate_withheld_is_withheld_again(
    house: Gatehouse, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = made(house, recipe(replay_feed(bars)))
    monkeypatch.setattr(over._desk, "_withhold", lambda order, verdict: DENIAL if over.engine.bars < 60 else None)
    run_session(over)
    assert row(over).orders.filter(status="denied").exists()
    report = replay(row(over))
    assert report.same, report.difference


def test_one_whose_owner_was_lost_is_compared_as_far_as_it_was_recorded(
    house: Gatehouse, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    over = made(house, ladder(bars))
    writes = over._journal._append

    def gone(final: bool) -> Any:
        if over.engine.bars >= 30:
            raise KeyboardInterrupt
        return writes(final)

    monkeypatch.setattr(over._journal, "_append", gone)
    with pytest.raises(KeyboardInterrupt):
        run_session(over)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 s' WHERE id = %s", [over.run_id])
    assert supervisor.take_from_lost() == [over.run_id]
    report = replay(row(over))
    assert report.same, report.difference
    assert "compared as far as it was recorded" in report.note
    assert report.facts > 0


def test_another_parameter_is_found_at_the_first_fact_that_it_changes(house: Gatehouse, bars: str) -> None:
    over = made(house, recipe(replay_feed(bars), strategy_kwargs=CROSS))
    run_session(over)
    document = row(over).recipe
    document["strategy"]["kwargs"]["quantity"] = 11
    Run.objects.filter(pk=over.run_id).update(recipe=document)
    report = replay(row(over))
    assert report.difference is not None
    assert report.difference.number == 1
    assert report.difference.recorded["kind"] == report.difference.replayed["kind"] == "order.intended"
    found = {one["field"]: (one["recorded"], one["replayed"]) for one in report.difference.fields}
    assert found["order.qty"] == ("10", "11")
    assert "another order.qty" in report.difference.sentence
    assert report.ledger_hash != row(over).ledger_hash


def test_a_strategy_that_would_do_more_than_was_recorded_is_found(house: Gatehouse, bars: str) -> None:
    over = made(house, recipe(replay_feed(bars), strategy_kwargs=CROSS, max_bars=100))
    run_session(over)
    document = row(over).recipe
    document["strategy"]["kwargs"] |= {"fast": 2, "slow": 5}
    Run.objects.filter(pk=over.run_id).update(recipe=document)
    report = replay(row(over))
    assert not report.same
    assert report.difference.replayed is not None


def test_a_backtest_is_replayed_from_its_feed_and_changed_data_are_told(tmp_path: Any) -> None:
    path = write_bars(tmp_path / "bars.csv", minutes=240)
    run = actions.start_backtest(recipe(replay_feed(path)), principal=cli_principal(), enqueue=False)
    host.run_backtest(run.pk)
    run.refresh_from_db()
    assert (run.mode, run.status) == (Mode.BACKTEST, RunStatus.COMPLETED)
    report = replay(run)
    assert (report.same, report.ledger_hash, report.note) == (True, run.ledger_hash, "")
    write_bars(path, minutes=240, seed=2)
    report = replay(run)
    assert not report.same
    assert report.note.startswith("the feed's data has changed since the run")


def test_what_cannot_be_replayed_says_why(house: Gatehouse, bars: str) -> None:
    over = made(house, recipe(replay_feed(bars), max_bars=20))
    run_session(over)
    run = row(over)
    with pytest.raises(InvalidValue, match="20 bars take too long here; use `alphaswarm replay"):
        replay(run, most_bars=19)
    RunBars.objects.filter(run=run).delete()
    with pytest.raises(InvalidValue, match="only 0 are kept"):
        replay(run)
    with pytest.raises(InvalidValue, match="refused"):
        replay(Run(status=RunStatus.BLOCKED))
