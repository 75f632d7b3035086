"""Safe mode in a session: its status follows, and its replay does the same again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

from risk.gate import Verdict
from tests.engine.builders import bar
from tests.replay.test_replay import made
from tests.risk.waiting import eventually
from tests.trading.market import recipe, synthetic
from tests.trading.sessions import Frames, Gatehouse, gatehouse
from tests.trading.sessions import run as run_session
from trading import ledger
from trading.models import Run
from trading.paper_trading import PaperTradingSession
from trading.replay import replay
from trading.summary import RunSummary

pytestmark = pytest.mark.django_db(transaction=True)

#: Between two bars, by the number of bars so far.
Deeds = dict[int, Callable[[PaperTradingSession], None]]
SAFE = {"max_daily_loss": 40, "on_breach": "safe_mode"}
#: It buys 100 at 99, is down 50 at 98.5 and up 100 at 100; a second entry rests at 98.
PRICES = (100.0, 98.5, 98.5, 100.0, 100.0, 100.0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


def traded(
    house: Gatehouse, risk: dict[str, Any], deeds: Deeds, symbol: str = "SPY", **options: Any
) -> tuple[PaperTradingSession, RunSummary]:
    """A session of two resting entries over `PRICES`, with what happens between two bars; its replay must agree."""
    document = recipe(synthetic(), "LimitLadderStrategy", risk=risk)
    document["universe"] = [symbol]
    document["strategy"]["kwargs"] = {"levels": 2, "step_bps": 100, "quantity": 100}
    document["brokerage"]["kwargs"]["hours"] = "any"

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Any, None]:
        for number, price in enumerate(PRICES):
            if number in deeds:
                done = asyncio.create_task(asyncio.to_thread(deeds[number], over))
                while not done.done():
                    waking = asyncio.create_task(wake.wait())
                    await asyncio.wait({done, waking}, return_when=asyncio.FIRST_COMPLETED)
                    waking.cancel()
                    yield None
                await done
            yield bar(price, open=100.0, minute=number, symbol=symbol)

    over = made(house, document, feed, **options)
    summary = run_session(over)
    assert ledger.verify(over.run_id).ok
    report = replay(Run.objects.get(pk=over.run_id))
    assert report.same, report.difference
    assert report.ledger_hash == summary.ledger_hash
    return over, summary


def becomes(status: str) -> Callable[[PaperTradingSession], None]:
    return lambda over: eventually(lambda: Run.objects.get(pk=over.run_id).status == status)


def codes(over: PaperTradingSession) -> list[str]:
    return list(Run.objects.get(pk=over.run_id).risk_events.order_by("seq").values_list("code", flat=True))


def statuses(over: PaperTradingSession) -> list[str]:
    return list(Run.objects.get(pk=over.run_id).orders.order_by("seq").values_list("status", flat=True))


def test_a_breach_holds_it_to_reducing_and_it_runs_again_once_all_is_calm(house: Gatehouse) -> None:
    frames = Frames()
    over, summary = traded(
        house, SAFE, {1: becomes("running"), 2: becomes("reducing"), 4: becomes("running")}, show=frames
    )
    assert (summary.status, codes(over)) == ("completed", ["max_daily_loss", "resumed"])
    assert statuses(over) == ["filled", "cancelled"]
    event = Run.objects.get(pk=over.run_id).risk_events.get(code="max_daily_loss")
    assert (event.figure, event.limit, event.message) == (50, 40, "lost 50.00 since 00:00 UTC, more than 40")
    assert frames.stages.count("risk.halted") == 1


def test_its_state_says_that_it_only_reduces_and_why(house: Gatehouse) -> None:
    def told(over: PaperTradingSession) -> None:
        risk = Run.objects.get(pk=over.run_id).state["risk"]
        assert (risk["mode"], risk["why"]) == ("reducing", "lost 50.00 since 00:00 UTC, more than 40")
        assert risk["headroom"][0]["used"] == "50"

    traded(house, SAFE, {2: lambda over: (becomes("reducing")(over), told(over))[-1]}, flush_every=1)


def test_with_exit_positions_it_ends_with_nothing_held(house: Gatehouse) -> None:
    over, summary = traded(house, {**SAFE, "exit_positions": True}, {2: becomes("reducing")})
    assert summary.status == "completed"
    assert statuses(over) == ["filled", "cancelled", "filled"]
    assert over.engine.qty("SPY") == 0
    assert over.engine.reducing is None


def test_one_that_a_person_is_to_resume_waits_for_that(house: Gatehouse) -> None:
    def resume(over: PaperTradingSession) -> None:
        becomes("reducing")(over)
        over.resume(1, "looked at the fills")
        becomes("running")(over)

    over, summary = traded(house, {**SAFE, "resume": "manual"}, {5: resume})
    assert (summary.status, codes(over)) == ("completed", ["max_daily_loss", "resumed"])


def test_a_kill_ends_one_that_only_reduces(house: Gatehouse) -> None:
    def kill(over: PaperTradingSession) -> None:
        becomes("reducing")(over)
        house.engaged = True
        eventually(lambda: over.engine.refusing)

    try:
        over, summary = traded(house, {**SAFE, "exit_positions": True}, {2: kill})
    finally:
        house.engaged = False
        eventually(lambda: house.gate.verdict() is Verdict.OPEN)
    assert summary.status == "killed"
    assert statuses(over) == ["filled", "cancelled", "cancelled"]


SILENT = {"max_feed_silence_seconds": "0.3"}
LIVE = {"symbol": "BTC/USD", "event_time": False}


def test_a_live_feed_that_falls_silent_halts_it(house: Gatehouse) -> None:
    over, summary = traded(house, SILENT, {3: lambda over: eventually(lambda: over.engine.halted)}, **LIVE)
    assert (summary.status, summary.bars, codes(over)) == ("halted", 3, ["max_feed_silence_seconds"])


def test_in_safe_mode_it_runs_again_with_the_next_bar(house: Gatehouse) -> None:
    risk = {**SILENT, "on_breach": "safe_mode"}
    over, summary = traded(house, risk, {1: becomes("reducing"), 3: becomes("running")}, **LIVE)
    assert summary.status == "completed"
    assert codes(over)[:2] == ["max_feed_silence_seconds", "resumed"]
    assert statuses(over) == ["cancelled", "cancelled"]
