"""Sessions under scoped halts, and under a kill that asks for flat positions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sim import SimulatedBrokerage
from risk.halts import Scope
from tests.engine.builders import Script, bar, buy, sell
from tests.trading.sessions import CASH, LOW, Frames, Gatehouse, ends, minutes, row, session, statuses
from trading.engine.bars import Bar
from trading.models import RiskEvent
from trading.paper_trading import PaperTradingSession

pytestmark = pytest.mark.django_db(transaction=True)

PLACE = {Scope.ACCOUNT: "alpaca-paper", Scope.BOT: "momo", Scope.RUN: "7"}


@pytest.fixture(autouse=True)
def released(house: Gatehouse) -> Any:
    yield
    house.release()


def between(bars: list[Bar], what: Callable[[], None], until: Callable[[], bool], after: int) -> Any:
    """The bars, with ``what`` done after so many of them and waited for ``until`` it was heard."""

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        for number, one in enumerate(bars):
            if number == after:
                await asyncio.to_thread(what)
                while not until():
                    await asyncio.sleep(0.002)
                    if wake.is_set():
                        yield None
            yield one

    return feed


def open_at(made: PaperTradingSession) -> int:
    return len(made.engine.open_orders())


@pytest.mark.parametrize(("scope", "target"), [("account", "alpaca-paper"), ("bot", "momo"), ("run", "7")])
def test_a_halt_of_where_it_belongs_ends_it_as_killed_and_says_which(house, scope, target):
    frames = Frames()
    made = session(
        house,
        Script([buy(1, limit=LOW)]),
        between(minutes(3), lambda: house.halt((scope, target, "too fast")), lambda: open_at(made) == 0, after=1),
        frames=frames,
        place=PLACE,
    )
    summary = ends(made, frames, "killed")
    assert summary.reason == f"{scope} {target} is halted: too fast"
    assert statuses(made) == ["cancelled"]
    assert RiskEvent.objects.get(run_id=made.run_id).code == "halted"


def test_a_halt_of_another_place_does_not_concern_it(house):
    house.halt(("account", "ibkr-live", "x"), ("bot", "other", "x"), ("run", "8", "x"), ("symbol", "QQQ", "x"))
    frames = Frames()
    assert ends(session(house, Script([buy(1)]), minutes(3), frames=frames, place=PLACE), frames, "completed").fills


def test_one_that_is_halted_before_it_begins_sees_no_bar(house):
    house.halt(("bot", "momo", "x"))
    frames = Frames()
    assert ends(session(house, Script([buy(1)]), minutes(3), frames=frames, place=PLACE), frames, "killed").bars == 0


def test_a_halted_symbol_loses_the_orders_that_open_and_keeps_those_that_reduce(house):
    frames = Frames()
    made = session(
        house,
        Script([buy(3)], [buy(1, limit=LOW), sell(2, limit="500")], [], [buy(1), sell(1)]),
        between(
            minutes(6),
            lambda: house.halt(("symbol", "SPY", "news")),
            lambda: statuses_of(made).count("cancelled") == 1,
            after=2,
        ),
        frames=frames,
        place=PLACE,
    )
    ends(made, frames, "completed")
    # Bought; the bid withdrawn; the offer left until the end; then a purchase denied and a sale let through.
    assert statuses(made) == ["filled", "cancelled", "cancelled", "denied", "filled"]
    denied = row(made).orders.get(status="denied")
    assert denied.reason == "halted: symbol SPY is halted: news"


def statuses_of(made: PaperTradingSession) -> list[str]:
    return [order.status.value for order in made.engine.orders.values()]


def test_a_released_symbol_trades_again(house):
    house.halt(("symbol", "SPY", "news"))
    frames = Frames()
    steps = Script([buy(1)], [buy(2)])
    made = session(house, steps, between(minutes(4), house.release, lambda: True, after=1), frames=frames, place=PLACE)
    ends(made, frames, "completed")
    assert statuses(made) == ["denied", "filled"]


def test_what_is_halted_but_cannot_be_read_lets_nothing_through(house):
    house.halts_epoch += 1
    frames = Frames()
    made = session(house, Script([buy(1)]), minutes(3), frames=frames, place=PLACE)
    ends(made, frames, "completed")
    assert row(made).orders.get().reason.startswith("halts_unknown")


def flattened(house: Gatehouse, *steps: Any, bars: list[Bar], after: int, **options: Any) -> PaperTradingSession:
    def kill() -> None:
        house.flatten = house.engaged = True

    def feed(wake: asyncio.Event) -> Any:
        return between(bars, kill, lambda: made._heed.kill_epoch == 2, after)(wake)

    frames = Frames()
    made = session(house, Script(*steps), feed, frames=frames, place=PLACE, **options)
    ends(made, frames, "killed")
    return made


COSTS = {"slippage": {"bps": 10}, "fees": {"per_order": "1"}}


def test_a_kill_that_flattens_sells_what_is_held_at_the_last_price_with_its_costs(house):
    made = flattened(
        house,
        [buy(3)],
        [buy(1, limit=LOW)],
        bars=minutes(4),
        after=3,
        brokerage=SimulatedBrokerage(starting_cash=CASH, **COSTS),
    )
    assert statuses(made) == ["filled", "cancelled", "filled"]
    exit_ = row(made).orders.order_by("seq").last()
    assert (exit_.side, exit_.qty, exit_.reduce_only, exit_.reason) == ("sell", 3, True, "kill switch engaged")
    fill = exit_.fills.get()
    # The last bar closed at 102; ten basis points and the cent's rounding go against the seller.
    assert (fill.price, fill.fee) == (Decimal("101.89"), 1)
    assert not made.engine.portfolio.held
    assert row(made).positions.get().qty == 0
    assert row(made).final_equity == made.engine.cash


def test_a_short_is_bought_back_and_every_symbol_is_left(house):
    bars = [one for minute in range(4) for one in (bar(100.0, minute=minute), bar(50.0, minute=minute, symbol="QQQ"))]
    made = flattened(house, [sell(2)], [buy(4, symbol="QQQ")], bars=bars, after=7, universe=("SPY", "QQQ"))
    assert not made.engine.portfolio.held
    assert sorted(row(made).fills.values_list("symbol", "side", "qty")) == [
        ("QQQ", "buy", 4),
        ("QQQ", "sell", 4),
        ("SPY", "buy", 2),
        ("SPY", "sell", 2),
    ]


def test_a_kill_that_flattens_ends_also_one_that_reads_on_through_a_kill(house):
    made = flattened(house, [buy(1)], bars=minutes(4), after=3, stop_on_kill=False)
    assert not made.engine.portfolio.held
