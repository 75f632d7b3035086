"""Orders whose fate nobody knows, and orders that an owner which was lost had decided on."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import psycopg
import pytest

from brokers.base import Recalled
from brokers.sightings import VenueOrder
from tests.engine.builders import Script, bar, buy, update
from tests.reconciling.places import ACCOUNT, traded, venue
from tests.risk.waiting import eventually
from tests.trading.sessions import CASH, new_run, row, statuses
from tests.venues.alpaca import AlpacaStub
from tests.venues.book import Terms
from tests.venues.faults import Fault
from trading import connections, ledger
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, OrderType, ReplaceRequest, Side
from trading.engine.risk import RiskAgent
from trading.engine.updates import UpdateKind
from trading.guard.booking import book
from trading.models import Run
from trading.reconciling import resolving
from trading.reconciling.looking import threads
from trading.reconciling.session import Reconciliation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("impatient")]


def test_an_order_that_never_arrived_is_told_so_and_holds_nothing_back_any_more(house, stub):
    """The venue breaks off before it has taken the order, and shows no such order to whoever asks."""
    stub.faults.plan(Fault.REFUSE_ERROR, where="POST /v2/orders")

    def known(number):
        if number == 1:
            eventually(lambda: row_of(stub, "rejected"))

    made = traded(house, stub, [[buy(2)], [buy(1)]], known)
    first = row(made).orders.order_by("seq").first()
    assert statuses(made) == ["rejected", "filled"]
    assert first.reason == resolving.NEVER_SHOWN
    assert [order["qty"] for order in stub.book.journal.of("order")] == [Decimal(1)]


def row_of(stub, status):
    return Run.objects.get(account=ACCOUNT).orders.filter(status=status).exists()


class Lost:
    """A run whose owner was lost after it had decided on an order, and the engine of the next one."""

    def __init__(self) -> None:
        self.run, lease = new_run()
        self.engine = Engine(self.run.pk.hex, Script([buy(2)]), RiskAgent(), ("SPY",), CASH)
        self.effects = list(self.engine.on_bar(bar(100.0)))
        self.order = self.engine.open_orders()[0]
        ledger.append_now(self.run.pk, self.engine.records, token=lease.token)
        self.engine.records.clear()
        self.sent: list[object] = []

    def taken_up(self, stub: AlpacaStub) -> None:
        async def send(effects):
            self.sent += effects

        async def pursue() -> None:
            brokerage.recall([Recalled(self.order)])
            await brokerage.connect_async()
            told = {"tell": self.engine.on_update, "send": send}
            doubts = resolving.Doubts(self.run.pk, self.engine, brokerage, threads, **told)
            await doubts.pursue(self.effects)
            await brokerage.close_async()

        brokerage = venue(stub)
        asyncio.run(asyncio.wait_for(pursue(), 20))


def test_an_order_that_had_not_left_leaves_under_its_own_name(stub):
    lost = Lost()
    lost.taken_up(stub)
    assert lost.sent == lost.effects
    assert lost.order.status is OrderStatus.INTENDED


def test_an_order_that_had_arrived_is_not_sent_again(stub):
    lost = Lost()
    terms = Terms("SPY", "buy", Decimal(2), client_order_id=lost.order.client_order_id)
    stub.call(lambda: stub.book.submit(terms))
    lost.taken_up(stub)
    assert lost.sent == []
    assert lost.order.status is OrderStatus.ACCEPTED


def test_an_order_that_was_decided_on_too_long_ago_is_not_sent(stub, monkeypatch):
    monkeypatch.setattr(resolving, "INTENT_SECONDS", 0.0)
    lost = Lost()
    lost.taken_up(stub)
    assert lost.sent == []
    assert (lost.order.status, lost.order.reason.partition(":")[0]) == (OrderStatus.DENIED, "intent_expired")
    assert not lost.engine.open_orders()


def changed_in_its_place(run) -> tuple[Engine, OrderRecord, OrderRecord]:
    """A run with an order of two units at its venue, and another that was to take its place there."""
    script = Script([buy(2, limit="90")])
    engine = Engine(run.pk.hex, script, RiskAgent(), ("SPY",), CASH)
    [submit] = engine.on_bar(bar(100.0))
    old = submit.order
    script.steps.append([ReplaceRequest(order_id=old.id, limit_price=Decimal(91))])
    engine.on_submitted(old)
    engine.on_update(update(UpdateKind.ACCEPTED, old, venue_order_id="v-1"))
    [replace] = engine.on_bar(bar(100.0, minute=1))
    engine.on_submitted(replace.by)
    return engine, old, replace.by


def test_what_a_changed_order_has_filled_is_booked_once_after_its_owner_was_lost():
    class Venue:
        def recall(self, orders):
            pass

        def query_order(self, order):
            terms = OrderRequest(symbol="SPY", side=Side.BUY, qty=Decimal(2), type=OrderType.LIMIT, limit_price=91)
            facts = {"state": UpdateKind.ACCEPTED, "terms": terms, "time": 1, "avg_price": Decimal(90)}
            return VenueOrder(client_order_id=old.id, venue_order_id="v-1", filled_qty=Decimal(1), **facts)

        def withdraw(self, shown):
            withdrawn.append(shown.venue_order_id)

    withdrawn = []
    run, lease = new_run()
    engine, old, by = changed_in_its_place(run)
    ledger.append_now(run.pk, engine.records, token=lease.token)
    in_doubt = book(lease, Venue(), "swept")

    assert {one.id: (one.status, one.filled_qty) for one in run.orders.all()} == {
        old.id: ("replaced", 0),
        by.id: ("partially_filled", 1),
    }
    assert (in_doubt, withdrawn) == ([by.id], ["v-1"])


def test_an_order_whose_place_was_taken_by_one_of_which_nobody_heard_is_recalled_with_it():
    run, _ = new_run()
    engine, old, by = changed_in_its_place(run)
    engine.on_update(update(UpdateKind.REPLACED, old))
    assert recalled_to_its_venue(run, engine) == [(by.id, None), (old.id, "v-1")]


def test_what_a_run_has_at_its_venue_is_asked_for_until_the_database_is_back(monkeypatch):
    away = [psycopg.OperationalError("the database is away")] * 2

    def connect():
        if away:
            raise away.pop()
        return connections.connect()

    monkeypatch.setattr(resolving, "connect", connect)
    run, _ = new_run()
    engine, old, by = changed_in_its_place(run)
    assert recalled_to_its_venue(run, engine) == [(old.id, "v-1"), (by.id, None)]
    assert not away


def recalled_to_its_venue(run, engine) -> list[tuple[str, str | None]]:
    """Which orders an adapter is told of before it is connected, with the venue's ids."""

    class Listening:
        account = "stub-paper"
        connections = 1

        def recall(self, orders):
            self.heard = [(one.order.id, one.order.venue_order_id) for one in orders]

    brokerage = Listening()
    together = Reconciliation(run.pk, engine, brokerage, tell=print, send=print, post=print)
    asyncio.run(together.recall())
    return brokerage.heard
