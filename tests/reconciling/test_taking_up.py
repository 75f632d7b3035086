"""A session that goes on for a lost owner, whose orders may still be on their way to the venue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from brokers.alpaca.terms import Refusal
from tests.engine.builders import Script, bar, buy
from tests.reconciling.places import ACCOUNT, traded, venue
from tests.risk.waiting import eventually
from tests.trading.sessions import CASH, feed_of, new_run, row, run, session, statuses
from tests.venues.alpaca import AlpacaStub
from tests.venues.book import Refused, Terms
from tests.venues.faults import Fault
from trading import desk, ledger, withdrawing
from trading.connections import connect
from trading.endings import STOPPED
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.orders import CancelRequest, OrderRecord, OrderStatus
from trading.engine.risk import RiskAgent
from trading.folding.driver import ReplayDriver
from trading.folding.recorded import events_of
from trading.folding.tape import Tape
from trading.guard.booking import book, take_over
from trading.lease import keeper
from trading.models import Run
from trading.paper_trading import PaperTradingSession
from trading.reconciling import resolving
from trading.reconciling.looking import threads
from trading.recovery import Recovered

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = "50"


@pytest.fixture(autouse=True)
def less_patient(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of the owner that was lost may be under way for a second."""
    monkeypatch.setattr(resolving, "SETTLED_SECONDS", 1.0)


class Lost:
    """A run whose owner was lost after its intent to buy was written."""

    def __init__(self) -> None:
        self.run, self.lease = new_run()
        Run.objects.filter(pk=self.run.pk).update(account=ACCOUNT, venue="alpaca")
        self.script = Script([buy(2, limit=LIMIT)], [buy(1)])
        self.engine = Engine(self.run.pk.hex, self.script, RiskAgent(), ("SPY",), CASH)
        self.effects: list[Effect] = list(self.engine.on_bar(bar(100.0)))
        self.order: OrderRecord = self.engine.open_orders()[0]
        ledger.append_now(self.run.pk, self.engine.records, token=self.lease.token)
        self.engine.records.clear()

    @property
    def terms(self) -> Terms:
        return Terms("SPY", "buy", Decimal(2), "limit", "gtc", self.order.client_order_id, Decimal(LIMIT))

    def resumed(self, house: Any, stub: AlpacaStub, **options: Any) -> PaperTradingSession:
        start = Recovered(self.engine, resumed=True, bars=1, pending=self.effects)
        given = {"run_id": self.run.pk, "lease": self.lease, "start": start, "brokerage": venue(stub), **options}
        return session(house, self.script, given.pop("bars", feed_of([], waits=True)), **given)


def when_asked(made: PaperTradingSession, then: Callable[[], None]) -> None:
    """Let something happen right after the venue was asked for the order for the first time."""
    brokerage: Any = made.brokerage
    ask = brokerage.query_order
    left = [then]

    def asked(order: OrderRecord) -> Any:
        shown = ask(order)
        if left:
            left.pop()()
        return shown

    brokerage.query_order = asked


@pytest.mark.parametrize("kill", [False, True])
def test_an_order_that_arrives_while_its_session_ends_is_cancelled_at_the_venue(
    house: Any, stub: Any, kill: bool
) -> None:
    lost = Lost()
    made = lost.resumed(house, stub)

    def ends_and_arrives() -> None:
        if kill:
            house.engaged = True
            eventually(lambda: made._heed.kill_epoch >= 0)
        else:
            made.stop()
        stub.call(stub.book.submit, lost.terms)

    when_asked(made, ends_and_arrives)
    run(made)
    assert (row(made).status, statuses(made)) == ("killed" if kill else "stopped", ["cancelled"])
    [order] = stub.book.orders.values()
    assert (order.terms.client_order_id, order.status) == (lost.order.client_order_id, "canceled")


def test_a_session_that_is_stopped_before_it_is_connected_cancels_what_had_left(house: Any, stub: Any) -> None:
    lost = Lost()
    stub.call(stub.book.submit, lost.terms)
    made = lost.resumed(house, stub)
    connect = made.brokerage.connect_async

    async def late() -> None:
        made._end(STOPPED)
        await connect()

    made.brokerage.connect_async = late  # type: ignore[method-assign]
    run(made)
    assert (row(made).status, statuses(made)) == ("stopped", ["cancelled"])
    assert [order.status for order in stub.book.orders.values()] == ["canceled"]


def test_a_run_that_goes_on_waits_for_a_venue_that_cannot_be_reached(
    house: Any, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "RECONNECT_SECONDS", 0.01)
    lost = Lost()
    stub.call(stub.book.submit, lost.terms)
    stub.faults.plan("error", where="GET /v2/account", times=3)
    made = lost.resumed(house, stub, bars=feed_of([]))
    run(made)
    assert (row(made).status, statuses(made)) == ("completed", ["cancelled"])


def test_one_that_never_left_is_written_off_when_its_session_ends_and_never_sent(house: Any, stub: Any) -> None:
    lost = Lost()
    made = lost.resumed(house, stub)
    when_asked(made, made.stop)
    run(made)
    assert statuses(made) == ["rejected"]
    assert row(made).reason == "stopped by an operator"
    assert not stub.book.orders


def test_one_that_its_strategy_cancels_before_it_arrives_is_cancelled_at_the_venue(house: Any, stub: Any) -> None:
    lost = Lost()
    lost.script.steps = [[CancelRequest(lost.order.id)]]

    async def feed(wake: Any) -> Any:
        yield bar(100.0, minute=1)
        assert lost.order.status is OrderStatus.CANCELLED
        stub.call(stub.book.submit, lost.terms)
        await asyncio.to_thread(eventually, lambda: [one.status for one in stub.book.orders.values()] == ["canceled"])

    made = lost.resumed(house, stub, bars=feed)
    run(made)
    assert (row(made).status, statuses(made)) == ("completed", ["cancelled"])


def test_an_order_may_have_left_until_its_owner_was_lost_however_old_its_intent(stub: Any) -> None:
    lost, sent_after = Lost(), []
    brokerage = venue(stub)

    async def send(effects: Any) -> None:
        sent_after.append(time.monotonic() - began)

    async def pursue() -> None:
        await brokerage.connect_async()
        await doubts.pursue(lost.effects)
        await brokerage.close_async()

    told = {"tell": lost.engine.on_update, "send": send}
    elder = resolving.Doubts(lost.run.pk, lost.engine, brokerage, threads, **told)
    eventually(lambda: elder._read_age(lost.order.id) > resolving.SETTLED_SECONDS)
    began = time.monotonic()
    doubts = resolving.Doubts(lost.run.pk, lost.engine, brokerage, threads, **told)
    asyncio.run(pursue())
    assert sent_after[0] > resolving.SETTLED_SECONDS


def test_a_database_that_is_away_loses_no_order_that_was_decided_on(
    house: Any, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Lost()

    async def feed(wake: Any) -> Any:
        await asyncio.to_thread(eventually, lambda: [one.status for one in stub.book.orders.values()] == ["new"])
        yield None

    made = lost.resumed(house, stub, bars=feed)
    read, away = resolving.Doubts._read_age, [True] * 3

    def failing(self: Any, order_id: str) -> Any:
        if away:
            away.pop()
            raise psycopg.OperationalError("the database is away")
        return read(self, order_id)

    monkeypatch.setattr(resolving.Doubts, "_read_age", failing)
    run(made)
    assert not away
    assert stub.book.by_client_id(lost.order.client_order_id).status == "canceled"


def test_the_guard_does_not_give_up_an_order_that_may_be_on_its_way(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Lost()

    def swept(status: str) -> list[str]:
        lease = take_over(lost.run.pk, status)
        assert lease is not None
        door = venue(stub)
        door.reach()
        try:
            return book(lease, door, "swept")
        finally:
            door.close()
            keeper().release(lease)

    monkeypatch.setattr(resolving, "SETTLED_SECONDS", 600.0)
    assert swept("starting") == [lost.order.id]
    assert Run.objects.get(pk=lost.run.pk).orders.get().status == "intended"
    monkeypatch.setattr(resolving, "SETTLED_SECONDS", 0.0)
    assert swept("killed") == []
    assert Run.objects.get(pk=lost.run.pk).orders.get().status == "cancelled"


def test_an_answer_that_says_nothing_of_an_order_is_not_taken_for_its_absence(stub: Any) -> None:
    lost, door = Lost(), venue(stub)
    door.reach()
    assert door.query_order(lost.order) is None

    def forbidden(client_order_id: str) -> Any:
        raise Refused("halted", "not now")

    stub.book.by_client_id = forbidden
    with pytest.raises(Refusal, match="not now"):
        door.query_order(lost.order)
    door.close()


def test_a_session_that_reads_on_through_a_kill_can_be_folded_again(
    house: Any, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its strategy decides while the venue has still to take the cancel."""
    monkeypatch.setattr(withdrawing, "CANCEL_CALL_TIMEOUT", 0.2)
    stub.faults.plan(Fault.REFUSE_ERROR, where="DELETE /v2/orders", times=1_000)
    open_at: list[bool] = []

    def between(number: int) -> None:
        if number == 1:
            eventually(lambda: [order for order in stub.book.orders.values() if order.status == "new"])
            house.engaged = True
            eventually(lambda: Run.objects.get(account=ACCOUNT).orders.filter(status="pending_cancel").exists())
        if number == 2:
            orders = Run.objects.get(account=ACCOUNT).orders
            eventually(lambda: orders.filter(status="denied").exists())
            open_at.append(orders.filter(status="pending_cancel").exists())
            stub.faults.clear()
            eventually(lambda: not orders.filter(status="pending_cancel").exists())
            house.release()

    steps = [[buy(2, limit=LIMIT)], [buy(1)], [buy(3)]]
    made = traded(house, stub, steps, between, stop_on_kill=False)
    assert (open_at, statuses(made)) == ([True], ["cancelled", "denied", "filled"])
    again = Engine(made.run_id.hex, Script(*steps), RiskAgent(), ("SPY",), CASH)
    with connect() as database:
        tape = Tape(events_of(database, row(made)), unfinished=False)
        fold = ReplayDriver(again, None, tape, stops_on_kill=False)
        fold.run(ledger.read_seen(database, made.run_id))
    assert fold.ledger_hash == row(made).ledger_hash
