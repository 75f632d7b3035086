"""Sessions that do not answer, swept from outside: at the stub venues, on the real ledger."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import OperationalError

from brokers.alpaca.adapter import AlpacaBrokerage
from risk.alert_models import Alert
from risk.alerts.raising import written
from risk.kill_file import KillFile
from tests.engine.builders import Script, buy
from tests.ledger.builders import Trading
from tests.risk.waiting import eventually
from tests.trading.places import SYMBOL, Market, Tws, open_market
from tests.trading.sessions import Gatehouse, minutes, new_run, row, session, statuses
from tests.venues import alpaca, tradier
from tests.venues.book import OPEN
from trading import account_book, ledger
from trading.engine.orders import OrderStatus, OrderType, Side
from trading.engine.records import Kind
from trading.guard import clearing, sweeper, watchlist
from trading.guard.clearing import NotEmpty, clear
from trading.guard.sweeper import Sweeper, sweep
from trading.guard.watchlist import Stopwatch, opening_in_halted, watched_runs
from trading.ledger import LeaseLost
from trading.models import Run
from trading.paper_trading import PaperTradingSession
from trading.parts import venue_of
from trading.reconciling import resolving
from trading.restoring import open_orders

pytestmark = pytest.mark.django_db(transaction=True)

LOW = "99"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(clearing, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(clearing, "PATIENCE_SECONDS", 5.0)
    monkeypatch.setattr(watchlist, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(sweeper, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(resolving, "SETTLED_SECONDS", 0.0)
    yield
    # What was begun in threads is over before the database goes.
    assert written(10)
    eventually(lambda: all(thread.name != "lease-keeper" for thread in threading.enumerate()))
    account_book.book().close()
    account_book._book.cache_clear()


@pytest.fixture
def market(request, monkeypatch) -> Iterator[Market]:
    with open_market(getattr(request, "param", "alpaca")) as market:
        monkeypatch.setenv("ALPHASWARM_ALPACA_API_KEY", alpaca.KEY)
        monkeypatch.setenv("ALPHASWARM_ALPACA_SECRET_KEY", alpaca.SECRET)
        monkeypatch.setenv("ALPHASWARM_TRADIER_TOKEN", tradier.TOKEN)
        monkeypatch.setenv("ALPHASWARM_TRADIER_ACCOUNT_ID", tradier.ACCOUNT)
        yield market


each_venue = pytest.mark.parametrize("market", ["alpaca", "tradier", "ibkr"], indirect=True)


class Blocking(Script):
    """Holds its session's loop at the second bar until it is let go."""

    def __init__(self, *steps) -> None:
        super().__init__(*steps)
        self.blocks, self.go, self.bars = threading.Event(), threading.Event(), 0

    def on_bar(self, bar, context):
        self.bars += 1
        if self.bars == 2:
            self.blocks.set()
            self.go.wait(30)
        return super().on_bar(bar, context)


class Blocked:
    """A session at the market whose strategy blocks its loop once its first order rests there."""

    def __init__(self, house: Gatehouse, market: Market) -> None:
        self.strategy = Blocking([buy(10, limit=LOW)], [buy(1), buy(1)])
        brokerage = market.brokerage
        self.made: PaperTradingSession = session(
            house, self.strategy, self._bars, brokerage=venue_of(brokerage), event_time=False
        )
        self.may_block = threading.Event()
        recipe = {"universe": [SYMBOL], "brokerage": brokerage}
        Run.objects.filter(pk=self.made.run_id).update(venue=self.made.brokerage.venue, recipe=recipe)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def _bars(self, wake):
        first, second = minutes(2)
        yield first
        while not self.may_block.is_set():
            await asyncio.sleep(0.01)
            yield None
        yield second

    def _run(self) -> None:
        try:
            asyncio.run(self.made.run())
        except BaseException as error:
            self.error = error

    @property
    def run_id(self):
        return self.made.run_id

    def holds(self, status: str) -> None:
        """Wait until the session's order has this status in the ledger, then block its loop."""
        eventually(lambda: statuses(self.made) == [status])
        self.may_block.set()
        assert self.strategy.blocks.wait(10)

    def wakes(self) -> None:
        """Let the loop go on, and wait until the session has ended."""
        self.may_block.set()
        self.strategy.go.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def blocked(house, market) -> Iterator[Blocked]:
    one = Blocked(house, market)
    yield one
    one.wakes()


def swept(*, killed=True, away=False) -> None:
    runs = watched_runs()
    sweep(runs[0].brokerage, dict.fromkeys(runs, "a kill"), killed=killed, away=away)


@each_venue
def test_a_blocked_session_is_swept_by_a_kill_and_does_no_harm_when_it_wakes(house, market, blocked, tmp_path):
    blocked.holds("accepted")
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    guard.round()
    guard.wait()
    assert statuses(blocked.made) == ["accepted"]

    house.engaged = True
    eventually(lambda: house.gate.read().engaged)

    def is_over():
        guard.round()
        guard.wait()
        return not watched_runs()

    in_doubt = isinstance(market, Tws)
    if in_doubt:
        # Its session has the client id: the gateway cancels everything, and tells nobody else what became of it.
        guard.round()
        guard.wait()
    else:
        eventually(is_over)
    assert [one["status"] for one in market.journal("end")] == ["canceled"]
    seq = row(blocked.made).head.seq
    blocked.wakes()
    assert isinstance(blocked.error, LeaseLost)
    assert row(blocked.made).head.seq == seq
    assert len(market.journal("order")) == 1

    run = row(blocked.made)
    assert (run.status, statuses(blocked.made)) == ("killed", ["accepted" if in_doubt else "cancelled"])
    assert ("not confirmed" in run.reason) == in_doubt
    assert run.reason.startswith("kill switch engaged; the session did not answer and was swept from outside")
    assert [event.code for event in run.risk_events.all()] == ["swept"]
    assert ledger.verify(run.pk).ok


@each_venue
def test_a_blocked_session_loses_its_orders_in_a_halted_symbol_and_goes_on_when_it_wakes(
    house, market, blocked, tmp_path
):
    blocked.holds("accepted")
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    house.halt(("symbol", "QQQ", "news"))
    guard.round()
    guard.wait()
    assert not market.journal("end")

    house.halt(("symbol", SYMBOL, "news"))
    guard.round()
    guard.wait()
    ended = [one["status"] for one in market.journal("end")]
    if isinstance(market, Tws):
        # Only the session that has its client id can cancel it, and a person is told.
        assert not ended
        assert written(10)
        assert Alert.objects.get(kind="unconfirmed_cancel").run_id == blocked.run_id
    else:
        assert ended == ["canceled"]
    assert (row(blocked.made).status, statuses(blocked.made)) == ("running", ["accepted"])

    blocked.wakes()
    assert blocked.error is None
    assert row(blocked.made).status == "completed"
    assert set(statuses(blocked.made)) <= {"cancelled", "denied"}
    assert [one["status"] for one in market.journal("end")] == ["canceled"]
    assert len(market.journal("order")) == 1
    assert ledger.verify(blocked.run_id).ok


def test_exits_in_a_halted_symbol_and_orders_in_others_are_left_alone(house, market, tmp_path):
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(venue="alpaca", recipe={"brokerage": market.brokerage})
    trading = Trading(run)
    held = trading.filled_order(qty=Decimal(10))
    market.stub.trade("QQQ", "100")
    resting = [
        trading.order(side=Side.SELL, limit=Decimal(500)),
        trading.order(limit=Decimal(90)),
        trading.order(symbol="QQQ", limit=Decimal(90)),
    ]
    outside = venue_of(market.brokerage)
    outside.reach()
    for order in resting:
        outside.submit_order(order)
    outside.close()
    sent = [record for order in resting for record in (trading.intend(order), trading.submit(order))]
    ledger.append_now(run.pk, [trading.status("running"), *held, *sent], token=lease.token)
    house.halt(("symbol", SYMBOL, "news"))
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    guard.round()
    guard.wait()
    shown = [market.stub.book.by_client_id(order.client_order_id).status for order in resting]
    assert shown == ["new", "canceled", "new"]
    ledger.append_now(run.pk, [trading.status("running")], token=lease.token)


def test_a_session_is_given_time_to_withdraw_from_a_halted_symbol_by_itself(house, market, blocked, monkeypatch):
    monkeypatch.setattr(watchlist, "ANSWER_SECONDS", 3.0)
    blocked.holds("accepted")
    house.halt(("symbol", SYMBOL, "news"))
    [one] = opening_in_halted(watched_runs(), house.gate.halts())
    assert (one.is_silent(1.0), one.is_silent(3.0)) == (False, True)
    trading, [order] = Trading(row(blocked.made)), open_orders(row(blocked.made))
    ledger.append_now(blocked.run_id, [trading.step(order, OrderStatus.PENDING_CANCEL, Kind.ORDER_PENDING_CANCEL)])
    [one] = opening_in_halted(watched_runs(), house.gate.halts())
    assert (one.is_silent(3.0), one.is_silent(watchlist.DRAIN_SECONDS)) == (False, True)
    house.release()
    assert not opening_in_halted(watched_runs(), house.gate.halts())


@pytest.mark.parametrize("market", ["alpaca", "tradier"], indirect=True)
def test_what_was_filled_meanwhile_is_booked_exactly_once(house, market, blocked):
    eventually(lambda: statuses(blocked.made) == ["accepted"])
    market.stub.trade(SYMBOL, LOW, "4")
    blocked.holds("partially_filled")
    market.stub.trade(SYMBOL, "98", "3")
    swept()
    market.stub.trade(SYMBOL, "97")
    blocked.wakes()

    run = row(blocked.made)
    fills = list(run.fills.order_by("seq").values_list("qty", "price"))
    assert fills == [(4, 99), (3, 98)] == [(Decimal(one["qty"]), one["price"]) for one in market.journal("fill")]
    assert run.cash == run.starting_cash - 4 * 99 - 3 * 98
    assert run.positions.get().qty == 7
    assert statuses(blocked.made) == ["cancelled"]
    assert ledger.verify(run.pk).ok


def test_a_session_that_says_that_it_drains_is_left_to_itself(house, market, blocked, monkeypatch):
    blocked.holds("accepted")
    [run] = watched_runs()
    assert run.is_silent(1.0)
    assert not run.is_silent(None)
    trading, [order] = Trading(row(blocked.made)), open_orders(row(blocked.made))
    ledger.append_now(blocked.run_id, [trading.status("draining")])
    assert watched_runs()[0].is_silent(1.0), "its order is not being cancelled"
    ledger.append_now(blocked.run_id, [trading.step(order, OrderStatus.PENDING_CANCEL, Kind.ORDER_PENDING_CANCEL)])
    assert not watched_runs()[0].is_silent(1.0)
    assert watched_runs()[0].is_silent(watchlist.DRAIN_SECONDS)


def test_a_session_that_closes_what_it_holds_is_not_taken_for_one_that_does_not_answer():
    run, _ = new_run()
    trading = Trading(run)
    exit_ = trading.order()
    exit_.reduce_only = True
    sent = [trading.intend(exit_), trading.submit(exit_)]
    ledger.append_now(run.pk, [trading.status("running"), trading.status("draining"), *sent])
    assert not watched_runs()[0].is_silent(1.0)
    assert watched_runs()[0].is_silent(watchlist.DRAIN_SECONDS)


def test_an_order_that_was_on_its_way_when_the_venue_was_first_asked_is_withdrawn_too(market):
    class LateOrder(AlpacaBrokerage):
        reads = 0

        def query_open_orders(self):
            shown = super().query_open_orders()
            self.reads += 1
            if self.reads == 1:
                outside.submit_order(late)
            return shown

    trading = Trading(new_run()[0])
    late = trading.order(limit=Decimal(90))
    outside = venue_of(market.brokerage)
    outside.reach()
    venue = LateOrder(alpaca.KEY, alpaca.SECRET, base_url=market.stub.url)
    venue.reach()
    try:
        assert clear(venue, lambda order: order.client_order_id == late.client_order_id, all_if_need_be=False) == 1
    finally:
        venue.close()
        outside.close()
    assert [one["status"] for one in market.journal("end")] == ["canceled"]
    assert venue.reads == 4


def test_orders_of_others_are_left_alone(house, market, blocked):
    blocked.holds("accepted")
    outside = venue_of(market.brokerage)
    outside.reach()
    outside.submit_order(Trading(Run(starting_cash=1)).order(limit=Decimal(90)))
    outside.close()
    swept()
    assert [order.status for order in market.stub.book.orders.values()] == ["canceled", "new"]


def left_behind(market: Market, status: str = "interrupted", known: bool = True) -> Run:
    """A run that has ended with an order open at the venue, or, unless it is ``known`` there, only intended."""
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(venue="alpaca", recipe={"brokerage": market.brokerage})
    trading = Trading(run)
    order = trading.order(limit=Decimal(90))
    records = [trading.intend(order), trading.submit(order)]
    if known:
        outside = venue_of(market.brokerage)
        outside.reach()
        outside.submit_order(order)
        outside.close()
        records.append(trading.step(order, OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED))
        order.venue_order_id = market.stub.book.by_client_id(order.client_order_id).id
    ledger.append_now(run.pk, [*records, trading.status(status, "its owner was lost")], token=lease.token)
    return run


def test_what_was_filled_before_its_owner_could_say_that_it_sent_it_is_booked(house, market, tmp_path):
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(venue="alpaca", recipe={"brokerage": market.brokerage})
    trading = Trading(run)
    order = trading.order(qty=Decimal(2))
    outside = venue_of(market.brokerage)
    outside.reach()
    outside.submit_order(order)
    outside.close()
    eventually(lambda: market.stub.book.by_client_id(order.client_order_id).status == "filled")
    lost = trading.status("interrupted", "its owner was lost")
    ledger.append_now(run.pk, [trading.intend(order), lost], token=lease.token)
    after = left_behind(market)
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    guard.round()
    guard.wait()
    assert (run.orders.get().status, run.fills.get().qty) == ("filled", 2)
    assert run.positions.get().qty == 2
    assert after.orders.get().status == "cancelled"
    assert ledger.verify(run.pk).ok


def test_an_order_that_the_venues_list_of_open_orders_leaves_out_is_withdrawn_too(house, market, monkeypatch):
    monkeypatch.setattr(AlpacaBrokerage, "query_open_orders", lambda venue: [])
    run = left_behind(market)
    with pytest.raises(NotEmpty):
        swept()
    swept()
    assert run.orders.get().status == "cancelled"
    assert all(order.status == "canceled" for order in market.stub.book.orders.values())


@pytest.mark.parametrize("known", [True, False])
def test_what_a_run_leaves_open_when_its_owner_is_lost_is_withdrawn(house, market, tmp_path, known):
    run = left_behind(market, known=known)
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    guard.round()
    guard.wait()
    run.refresh_from_db()
    assert (run.status, run.reason) == ("interrupted", "its owner was lost")
    assert run.orders.get().status == "cancelled"
    assert not watched_runs()
    assert all(order.status == "canceled" for order in market.stub.book.orders.values())
    assert ledger.verify(run.pk).ok


@pytest.mark.parametrize(("limit", "ends"), [("90", "cancelled"), ("101", "filled")])
def test_legs_that_only_their_lost_owner_knew_at_the_venue_are_withdrawn(market, limit, ends):
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(venue="alpaca", recipe={"brokerage": market.brokerage})
    trading = Trading(run)
    entry = trading.order(limit=Decimal(limit))
    target, stop = trading.order(side=Side.SELL, limit=Decimal(120)), trading.order(side=Side.SELL)
    stop.type, stop.stop_price = OrderType.STOP, Decimal(80)
    target.parent_id = stop.parent_id = entry.id
    outside = venue_of(market.brokerage)
    outside.reach()
    outside.submit_order(entry, (target, stop))
    outside.close()
    sent = [record for order in (entry, target, stop) for record in (trading.intend(order), trading.submit(order))]
    ledger.append_now(run.pk, [*sent, trading.status("interrupted", "its owner was lost")], token=lease.token)
    swept()

    assert not any(order.status in OPEN for order in market.stub.book.orders.values())
    rows = run.orders.order_by("id")
    assert [row.status for row in rows] == [ends, "cancelled", "cancelled"]
    assert not rows.filter(reason=resolving.NEVER_SHOWN)
    assert not watched_runs()
    assert ledger.verify(run.pk).ok


def test_a_venue_that_does_not_tell_what_became_of_an_order_leaves_it_open_in_the_ledger(house, market):
    run = left_behind(market)
    market.stub.call(market.stub.book.cancel_all)
    market.stub.book.orders.clear()
    with pytest.raises(NotEmpty, match=f"{run.id.hex}-1"):
        swept()
    assert run.orders.get().status == "accepted"


def test_an_order_that_the_venue_does_not_let_go_of_keeps_no_other_from_being_written(market, monkeypatch):
    monkeypatch.setattr(clearing, "PATIENCE_SECONDS", 0.2)
    stuck, other = left_behind(market), left_behind(market)
    [name] = [one["id"] for one in market.journal("order") if one["client_order_id"].startswith(stuck.id.hex)]
    market.stub.faults.plan("refuse_error", times=10_000, where=f"DELETE /v2/orders/{name}")
    with pytest.raises(NotEmpty, match=f"{stuck.id.hex}-1"):
        swept()
    assert (stuck.orders.get().status, other.orders.get().status) == ("accepted", "cancelled")


def test_a_run_that_fails_again_and_again_does_not_delay_another(house, market, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeper, "RETRY_SECONDS", (600.0, 600.0))
    lost = left_behind(market)
    market.stub.call(market.stub.book.orders.clear)
    guard = Sweeper(house.gate, KillFile(tmp_path / "kill"))
    guard.round()
    guard.wait()
    assert lost.orders.get().status == "accepted"
    other = left_behind(market)
    guard.round()
    guard.wait()
    assert other.orders.get().status == "cancelled"


def test_with_the_database_away_the_venue_is_told_and_the_ledger_afterwards(
    house, market, blocked, tmp_path, monkeypatch
):
    def away():
        raise OperationalError("the server is gone")

    blocked.holds("accepted")
    kill = KillFile(tmp_path / "kill")
    guard = Sweeper(house.gate, kill)
    guard.round()
    kill.write("the database is on fire", "a test")
    with monkeypatch.context() as gone:
        gone.setattr(sweeper, "watched_runs", away)
        guard.round()
        guard.wait()
    assert [one["status"] for one in market.journal("end")] == ["canceled"]
    assert (row(blocked.made).status, statuses(blocked.made)) == ("running", ["accepted"])
    guard.round()
    guard.wait()
    assert (row(blocked.made).status, statuses(blocked.made)) == ("killed", ["cancelled"])


def test_what_rested_at_the_simulated_venue_of_a_session_that_does_not_answer_is_gone_with_it():
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(recipe={"brokerage": {"class": "SimulatedBrokerage"}})
    trading = Trading(run)
    order = trading.order(limit=Decimal(90))
    ledger.append_now(run.pk, [trading.intend(order), trading.submit(order)], token=lease.token)
    swept()
    with pytest.raises(LeaseLost):
        ledger.append_now(run.pk, [trading.status("completed")], token=lease.token)
    run.refresh_from_db()
    assert (run.status, run.orders.get().status) == ("killed", "cancelled")
    assert ledger.verify(run.pk).ok


def test_a_run_that_is_not_asked_to_end_any_more_begins_anew_when_it_is_asked_again():
    watch, run = Stopwatch(), new_run()[0].pk
    assert watch.seconds([run], 10.0) == {run: 0.0}
    assert watch.seconds([run], 12.0) == {run: 2.0}
    assert watch.seconds([], 13.0) == {}
    assert watch.seconds([run], 14.0) == {run: 0.0}
