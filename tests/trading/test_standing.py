"""Sessions that share an account at a venue, each with its own word about what it may still open."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from brokers.alpaca.adapter import AlpacaBrokerage
from risk.models import Account, OrderGrant
from tests.engine.builders import Script, buy, sell
from tests.risk.waiting import eventually
from tests.trading.sessions import CASH, Venue, minutes, row, run, session, statuses
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.serving import serving
from trading import standing
from trading.engine.errors import Rejected, Transient, Withheld
from trading.feeds.signs import FeedSigns
from trading.models import RiskEvent
from trading.reconciling import looking

pytestmark = pytest.mark.django_db(transaction=True)


class Shared(Venue):
    """A simulated venue whose account others trade in too: all of them that a test has made."""

    shared = True
    together: ClassVar[list[Shared]] = []

    def __init__(self):
        super().__init__()
        self.together.append(self)

    @property
    def account(self):
        return "sim-shared"

    def query_positions(self):
        return [held for each in self.together for held in Venue.query_positions(each)]

    def query_account(self):
        cash = sum(Venue.query_account(each).cash - CASH for each in self.together) + CASH
        return msgspec.structs.replace(super().query_account(), cash=cash)


def market_of(desk):
    """Whether the venue says that its market is open; None while it has not said so."""
    word = desk.conditions.market
    return None if word is None else word.is_open


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """What one test's venue said of an account is not the next one's."""
    monkeypatch.setattr(standing, "_figures", {})
    monkeypatch.setattr(looking, "_accounts", {})
    monkeypatch.setattr(Shared, "together", [])


@pytest.fixture
def limited():
    return Account.objects.create(name="sim-shared", limits={"max_gross_exposure": "1500"})


def refusals(made):
    return list(row(made).orders.order_by("seq").values_list("status", "reason"))


def trade(house, *steps, venue=None, **options):
    made = session(house, Script(*steps), minutes(len(steps) + 1), brokerage=venue or Shared(), **options)
    type(row(made)).objects.filter(pk=made.run_id).update(account="sim-shared")
    run(made)
    return made


def test_an_account_holds_back_what_would_bring_all_of_its_runs_over_a_limit(house, limited):
    first = trade(house, [buy(9)])
    second = trade(house, [buy(9)], [buy(5)])
    assert statuses(first) == ["filled"]
    assert [status for status, _ in refusals(second)] == ["denied", "filled"]
    event = RiskEvent.objects.get(run=second.run_id)
    assert (event.code, event.limit) == ("account_max_gross_exposure", Decimal(1500))
    # The first run's nine are worth what they were last traded at, the second's what its first bar closed at.
    assert event.figure == 9 * Decimal(101) + 9 * Decimal(100)


def test_what_only_reduces_passes_an_account_that_is_over_its_limit(house, limited):
    Account.objects.update(limits={})
    made = session(house, Script([buy(9)], [], [sell(9)]), lambda wake: feed(wake), brokerage=Shared())
    type(row(made)).objects.filter(pk=made.run_id).update(account="sim-shared")

    def tighten():
        Account.objects.update(limits={"max_gross_exposure": "1"})

    async def feed(wake):
        for number, bar in enumerate(minutes(5)):
            if number == 2:
                await asyncio.to_thread(tighten)
            yield bar

    run(made)
    assert statuses(made) == ["filled", "filled"]


def test_an_order_that_opens_is_granted_and_one_that_reduces_need_not_be(house, limited):
    made = trade(house, [buy(9)], [sell(9)])
    granted = list(OrderGrant.objects.values_list("order_id", "account"))
    assert granted == [(f"{made.run_id.hex}-1", "sim-shared")]


def test_an_exit_that_rests_is_granted_with_an_order_that_could_take_its_position(house, limited):
    made = trade(house, [buy(9)], [sell(9, limit="500"), sell(1)])
    granted = OrderGrant.objects.order_by("order_id").values_list("order_id", flat=True)
    assert list(granted) == [f"{made.run_id.hex}-{number}" for number in (1, 2, 3)]


def test_a_venue_that_fails_again_and_again_is_sent_nothing_new_by_anybody(house):
    class Failing(Shared):
        async def submit_order_async(self, order, linked=()):
            raise Transient("busy")

    made = trade(house, *[[buy(1)] for _ in range(6)], venue=Failing())
    assert [status for status, _ in refusals(made)] == ["rejected"] * 5 + ["denied"]
    assert refusals(made)[-1][1].startswith("breaker_open")
    other = trade(house, [buy(1)])
    assert [status for status, _ in refusals(other)] == ["denied"]
    account = Account.objects.get()
    assert (account.breaker_open, account.trips, account.breaker_run) == (True, 1, str(made.run_id))


def test_refusals_are_answers_and_trip_nothing(house):
    class Refusing(Shared):
        async def submit_order_async(self, order, linked=()):
            raise Rejected("no such symbol")

    made = trade(house, *[[buy(1)] for _ in range(7)], venue=Refusing())
    assert statuses(made) == ["rejected"] * 7
    assert not Account.objects.get().breaker_open


def test_calls_that_our_own_side_held_back_say_nothing_of_the_venue(house):
    class Late(Shared):
        async def submit_order_async(self, order, linked=()):
            raise Withheld("it has waited, and may not leave any more")

    made = trade(house, *[[buy(1)] for _ in range(7)], venue=Late())
    assert statuses(made) == ["rejected"] * 7
    assert not Account.objects.get().breaker_open


def test_nothing_is_opened_while_the_feed_is_lost_or_the_symbol_is_halted(house):
    signs = FeedSigns(lost="the feed of live bars is lost")
    made = session(house, Script([buy(1)], [buy(1)], [buy(1)]), lambda wake: feed(wake), signs=signs)

    async def feed(wake):
        for number, bar in enumerate(minutes(4)):
            if number == 1:
                signs.lost, signs.halted = "", {"SPY": "news pending"}
            if number == 2:
                signs.halted = {}
            await asyncio.sleep(0.05)
            yield bar

    run(made)
    assert [reason.partition(":")[0] for _, reason in refusals(made)][:2] == ["data_degraded", "venue_halt"]
    assert statuses(made)[2] == "filled"


def test_the_brokers_own_figures_are_asked_for_and_shown_when_they_cannot_be(house, monkeypatch):
    monkeypatch.setattr(standing, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(standing, "POLL_SECONDS", 0.05)
    seen = []
    with serving(AlpacaStub()) as stub:
        urls = {"base_url": stub.url, "stream_url": f"{stub.socket_url}/stream"}
        venue = AlpacaBrokerage(KEY, SECRET, **urls)
        made = session(house, Script(), lambda wake: feed(wake), brokerage=venue, event_time=False)
        desk = made._desk

        async def feed(wake):
            await asyncio.to_thread(eventually, lambda: market_of(desk))
            seen.append((desk.conditions.buying_power, desk.standing.degraded))
            stub.clock_open = False
            await asyncio.to_thread(eventually, lambda: market_of(desk) is False)
            monkeypatch.setattr(venue, "query_account", nobody)
            await asyncio.to_thread(eventually, lambda: desk.standing.degraded)
            seen.append(desk.standing.degraded)
            yield None

        run(made)
    assert seen == [(Decimal(100_000), ""), "the venue does not tell the account: nobody answers"]


def nobody():
    raise Transient("nobody answers")
