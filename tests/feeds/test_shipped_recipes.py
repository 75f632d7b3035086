"""The shipped recipes of real venues, from their first minute on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import UUID

import pytest
import yaml

from tests.environment import PROJECT
from tests.trading.places import Market, open_market
from trading.engine.bars import Bar
from trading.engine.effects import Effect, Submit
from trading.feeds.base import Warming
from trading.parts import Parts, assemble
from trading.recipes.reading import parse


def shipped(market: Market) -> Parts:
    recipe = yaml.safe_load((PROJECT / market.shipped[0]).read_text())
    # The stub's market is open whatever the day.
    recipe["risk"]["trade_when_closed"] = True
    recipe["feed"]["kwargs"] |= market.feed["kwargs"]
    return assemble(parse(recipe), **market.secrets)


async def first_live_bar(parts: Parts) -> tuple[list[Bar], Bar, list[Effect]]:
    """The past bars that come before it, the bar, and what the run wants at it."""
    engine, past, count = parts.engine(UUID(int=1)), [], 0
    async with asyncio.timeout(20), aclosing(parts.feed.stream(asyncio.Event(), parts.strategy.history)) as stream:
        async for one in stream:
            if isinstance(one, Warming):
                engine.warm(one.bars)
                count = one.bars
            elif one is not None:
                effects = list(engine.on_bar(one))
                if len(past) == count:
                    return past, one, effects
                assert not effects
                past.append(one)
    raise AssertionError("no live bar came")


@pytest.mark.parametrize("name", ["alpaca", "ibkr", "tradier"])
async def test_its_window_is_full_before_the_first_live_bar_at_which_it_trades(name):
    with open_market(name) as market:
        symbol = market.shipped[1]
        parts = shipped(market)
        for known in parts.recipe.universe:
            market.stub.trade(known, "100")
        # The past is there before anybody asks for it.
        market.fall(symbol)

        async def fall() -> None:
            while True:
                await asyncio.to_thread(market.fall, symbol)
                await asyncio.sleep(0.01)

        falling = asyncio.create_task(fall())
        try:
            past, bar, effects = await first_live_bar(parts)
        finally:
            falling.cancel()

    assert len([one for one in past if one.symbol == symbol]) == 60
    assert (bar.symbol, bar.close) == (symbol, 95.0)
    [submit] = effects
    assert isinstance(submit, Submit)
    assert (submit.order.symbol, submit.order.side, submit.order.qty) == (symbol, "buy", 20)
