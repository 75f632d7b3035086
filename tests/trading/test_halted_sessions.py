"""Sessions under scoped halts, and under a kill that asks for flat positions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sim import SimulatedBrokerage
from risk.halts import Scope
from tests.engine.builders import Script, bar, buy, sell
from tests.risk.waiting import eventually
from tests.trading.sessions import CASH, LOW, Frames, Gatehouse, Venue, ends, minutes, row, session, statuses
from trading import heeding, withdrawing
from trading.engine.bars import Bar
from trading.engine.errors import Transient
from trading.engine.orders import OrderRecord
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawing, "CANCEL_TIMEOUT", 0.05)
    monkeypatch.setattr(withdrawing, "CANCEL_CALL_TIMEOUT", 0.05)
    monkeypatch.setattr(withdrawing, "CANCEL_RETRY", 0.01)
    monkeypatch.setattr(heeding, "LATE_RETRY", 0.02)


class Stubborn(Venue):
    """Takes no cancel before it ``yields``."""

    def __init__(self) -> None:
        super().__init__(starting_cash=CASH)
        self.asked = 0
        self.yields = False

    async def cancel_order_async(self, order: OrderRecord) -> None:
        self.asked += 1
        if not self.yields:
            raise Transient("busy")
        await super().cancel_order_async(order)


def test_a_halted_symbol_is_asked_to_be_rid_of_its_orders_until_they_are_closed(house, impatient):
    frames, venue = Frames(), Stubborn()

    def halt() -> None:
        house.halt(("symbol", "SPY", "news"))
        time.sleep(20 * withdrawing.CANCEL_TIMEOUT)
        venue.yields = True

    made = session(
        house,
        Script([buy(1, limit=LOW)]),
        between(minutes(3), halt, lambda: open_at(made) == 0, after=1),
        frames=frames,
        brokerage=venue,
        place=PLACE,
    )
    ends(made, frames, "completed")
    assert statuses(made) == ["cancelled"]
    assert row(made).orders.get().reason == "symbol SPY is halted: news"


def test_a_symbol_that_trades_again_keeps_the_orders_that_were_not_closed_yet(house, impatient):
    frames, venue = Frames(), Stubborn()
    before_the_end = []

    def halt_and_release() -> None:
        house.halt(("symbol", "SPY", "news"))
        eventually(lambda: venue.asked)
        house.release()
        time.sleep(0.2)
        venue.yields = True
        asked = venue.asked
        time.sleep(0.2)
        before_the_end.append((asked, venue.asked, open_at(made)))

    made = session(
        house,
        Script([buy(1, limit=LOW)]),
        between(minutes(3), halt_and_release, lambda: True, after=1),
        frames=frames,
        brokerage=venue,
        place=PLACE,
    )
    ends(made, frames, "completed")
    [(then, later, still_open)] = before_the_end
    assert (later, still_open) == (then, 1)


def test_bars_do_not_wait_for_an_order_that_its_venue_does_not_let_go_of(house, impatient):
    venue, held_up = Stubborn(), 0.0

    def halt() -> None:
        house.halt(("symbol", "SPY", "news"))
        eventually(lambda: venue.asked > 3)

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        nonlocal held_up
        async for one in between(minutes(40), halt, lambda: True, after=1)(wake):
            began = time.monotonic()
            yield one
            held_up += time.monotonic() - began
        venue.yields = True

    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), feed, frames=frames, brokerage=venue, place=PLACE)
    ends(made, frames, "completed")
    assert held_up < 20 * withdrawing.CANCEL_CALL_TIMEOUT


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
