"""Scoped halts and a kill that flattens are done again where they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from tests.replay.test_replay import bars as bars
from tests.replay.test_replay import house as house
from tests.replay.test_replay import ladder, made, row, some
from tests.trading.market import recipe
from tests.trading.market import replay as replay_feed
from tests.trading.sessions import Feed, Gatehouse
from tests.trading.sessions import run as run_session
from trading.engine.bars import Bar
from trading.paper_trading import PaperTradingSession
from trading.replay import replay

pytestmark = pytest.mark.django_db(transaction=True)

CROSS = {"fast": 5, "slow": 20, "quantity": 10}


def interrupted(seen: list[Bar], at: int, what: Callable[[], None], heard: Callable[[], bool]) -> Feed:
    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        for number, one in enumerate(seen):
            if number == at:
                what()
                while not heard():  # noqa: ASYNC110  (a session tells nobody that it has heard)
                    await asyncio.sleep(0.002)
            if wake.is_set():
                yield None
            yield one

    return feed


def test_a_halt_of_a_symbol_is_replayed_where_it_came(house: Gatehouse, bars: str) -> None:
    over: PaperTradingSession

    def quiet() -> bool:
        return not over.engine.open_orders()

    seen = some(bars, 60)
    over = made(house, ladder(bars), interrupted(seen, 30, lambda: house.halt(("symbol", seen[0].symbol, "x")), quiet))
    try:
        assert run_session(over).status == "completed"
    finally:
        house.release()
    cancelled = row(over).orders.filter(status="cancelled", reason__endswith="is halted: x")
    assert cancelled.exists()
    report = replay(row(over))
    assert report.same, report.difference


@pytest.mark.parametrize("stops", [True, False])
def test_a_kill_that_flattens_is_replayed_with_its_exits(house: Gatehouse, bars: str, stops: bool) -> None:
    document: dict[str, Any] = recipe(replay_feed(bars), "SmaCrossStrategy", strategy_kwargs=CROSS)
    document["session"]["stop_on_kill_switch"] = stops
    document["brokerage"]["kwargs"] |= {"slippage": {"bps": 2}, "fees": {"per_share": "0.005"}, "latency_ms": 500}
    over: PaperTradingSession

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        for one in some(bars, 200):
            yield one
            if over.engine.portfolio.held and over.engine.bars > 30:
                house.flatten = house.engaged = True
                while over._heed.kill_epoch < 0:  # noqa: ASYNC110  (as above)
                    await asyncio.sleep(0.002)
                yield None

    over = made(house, document, feed)
    try:
        assert run_session(over).status == "killed"
    finally:
        house.release()
    assert not over.engine.portfolio.held
    assert row(over).orders.filter(reduce_only=True, status="filled", reason="kill switch engaged").exists()
    report = replay(row(over))
    assert report.same, report.difference
