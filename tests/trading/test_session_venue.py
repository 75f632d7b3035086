"""A session and its venue: what is said, what is not, and cancels that wait for nothing."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import msgspec
import pytest

from risk.halts import Scope
from tests.engine.builders import Script, bar, buy, fill, sell, update
from tests.risk.waiting import eventually
from tests.trading.sessions import LOW, Frames, Venue, ends, feed_of, minutes, run, session, statuses
from trading import ledger, withdrawing
from trading.connections import connect
from trading.engine.errors import Fatal, Rejected, Transient, Unknown
from trading.engine.linked import bracket, one_cancels_other, one_triggers_other
from trading.engine.orders import CancelRequest, ReplaceRequest
from trading.engine.updates import UpdateKind
from trading.models import RiskEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(withdrawing, "CANCEL_TIMEOUT", 1.0)
    monkeypatch.setattr(withdrawing, "CANCEL_CALL_TIMEOUT", 0.2)
    monkeypatch.setattr(withdrawing, "CANCEL_RETRY", 0.02)


def test_an_overfill_between_two_bars_ends_it_at_once(house):
    venue = Venue()
    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), lambda wake: feed(wake), frames=frames, brokerage=venue)

    def overfill():
        venue.say(fill(f"{made.run_id.hex}-1", 5, "50", "e1"))

    feed = feed_of(minutes(1), then=overfill, waits=True)
    assert run(made).status == "halted"
    assert statuses(made) == ["filled"]


def test_what_the_venue_says_that_cannot_be_ends_it_and_what_follows_is_still_heard(house):
    venue = Venue()
    made = session(house, Script([buy(2, limit=LOW)]), lambda wake: feed(wake), brokerage=venue)

    def mumble():
        order = f"{made.run_id.hex}-1"
        venue.say(fill(order, "NaN", "50", "e1"))
        venue.say(fill(order, "1", "50", "e2"))

    feed = feed_of(minutes(1), then=mumble, waits=True)
    summary = run(made)
    assert (summary.status, summary.fills) == ("failed", 1)
    assert "cannot be" in summary.reason
    eventually(lambda: RiskEvent.objects.filter(run=made.run_id, code="impossible_update").exists())


@pytest.mark.parametrize(
    ("error", "status", "final"),
    [
        (Rejected("no such symbol"), "rejected", "rejected"),
        (Unknown("timeout"), "unknown", "pending_cancel"),
        (Transient("busy"), "rejected", "rejected"),
        (ConnectionResetError("reset"), "unknown", "pending_cancel"),
    ],
)
def test_an_error_at_the_send_says_what_is_known_of_the_order(house, error, status, final):
    class Refusing(Venue):
        async def submit_order_async(self, order, linked=()):
            raise error

        async def cancel_order_async(self, order):
            raise Unknown("nobody answers")

    class Curious(Script):
        def on_bar(self, bar, context):
            seen.append([order.status for order in context.open_orders()])
            return super().on_bar(bar, context)

    seen = []
    made = session(house, Curious([buy(1)]), minutes(2), brokerage=Refusing())
    summary = run(made)
    assert seen[1] == ([] if status == "rejected" else [status])
    assert statuses(made) == [final]
    assert ("not confirmed" in summary.reason) == (final == "pending_cancel")


def test_a_venue_that_never_answers_a_cancel_does_not_keep_the_run_for_ever(house):
    class Deaf(Venue):
        async def cancel_order_async(self, order):
            await asyncio.Event().wait()

        async def close_async(self):
            raise OSError("no goodbye")

    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), minutes(1), frames=frames, brokerage=Deaf())
    summary = run(made)
    assert summary.status == "completed"
    assert "not confirmed" in summary.reason
    assert frames.stages[-1] == "done"


def test_one_cancel_that_fails_in_an_unforeseen_way_does_not_keep_the_others(house):
    class Odd(Venue):
        asked = 0

        async def cancel_order_async(self, order):
            self.asked += 1
            if self.asked == 1:
                raise KeyError("code")
            await super().cancel_order_async(order)

    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW), buy(2, limit=LOW)]), minutes(1), frames=frames, brokerage=Odd())
    ends(made, frames, "completed")
    assert statuses(made) == ["cancelled", "cancelled"]


def test_a_refused_cancel_is_asked_for_again(house):
    class Busy(Venue):
        asked = 0

        async def cancel_order_async(self, order):
            self.asked += 1
            if self.asked < 3:
                self.say(update(UpdateKind.CANCEL_REFUSED, order, reason="429"))
            else:
                await super().cancel_order_async(order)

    frames = Frames()
    busy = Busy()
    made = session(house, Script([buy(1, limit=LOW)]), minutes(1), frames=frames, brokerage=busy)
    ends(made, frames, "completed")
    assert busy.asked == 3
    assert statuses(made) == ["cancelled"]


def test_a_kill_cancels_at_once_while_another_order_waits_for_the_venue(house):
    cancelled, sent = [], []

    class Slow(Venue):
        async def submit_order_async(self, order, linked=()):
            sent.append(order.qty)
            if order.qty == 2:
                house.engaged = True
                await asyncio.to_thread(eventually, lambda: cancelled)
            await super().submit_order_async(order)

        async def cancel_order_async(self, order):
            cancelled.append(order.qty)
            await super().cancel_order_async(order)

    frames = Frames()
    steps = Script([buy(1, limit=LOW), buy(2, limit=LOW), buy(3, limit=LOW)])
    made = session(house, steps, minutes(1), frames=frames, brokerage=Slow())
    ends(made, frames, "killed")
    assert cancelled[0] == Decimal(1)
    assert statuses(made) == ["cancelled", "cancelled", "cancelled"]
    assert sent == [1, 2]


def test_a_kill_cancels_at_once_while_a_commit_waits_for_the_database(house):
    frames, cancelled = Frames(), threading.Event()

    class Watched(Venue):
        async def cancel_order_async(self, order):
            cancelled.set()
            await super().cancel_order_async(order)

    made = session(
        house,
        Script([buy(1, limit=LOW)], [buy(2, limit=LOW)]),
        lambda wake: feed(wake),
        frames=frames,
        brokerage=Watched(),
    )

    async def feed(wake):
        first, second = minutes(2)
        yield first
        database = connect()
        database.execute("SELECT FROM runs WHERE id = %s FOR UPDATE", [made.run_id])
        threading.Thread(target=kill, args=[database]).start()
        yield second

    def kill(database):
        house.engaged = True
        assert cancelled.wait(5)
        database.rollback()
        database.close()

    ends(made, frames, "killed")
    assert statuses(made) == ["cancelled", "cancelled"]


def test_a_cancel_that_the_venue_was_not_reached_for_leaves_the_order_as_it_was(house):
    class Deaf(Venue):
        asked = 0

        async def cancel_order_async(self, order):
            self.asked += 1
            if self.asked == 1:
                raise Transient("busy")
            await super().cancel_order_async(order)

    class Canceller(Script):
        def on_bar(self, bar, context):
            seen.append([order.status for order in context.open_orders()])
            wanted = super().on_bar(bar, context)
            return wanted or [CancelRequest(order.id, "too old") for order in context.open_orders()]

    seen, venue = [], Deaf()
    made = session(house, Canceller([buy(1, limit=LOW)]), minutes(4), brokerage=venue)
    run(made)
    assert seen == [[], ["accepted"], ["accepted"], []]
    assert venue.asked == 2
    assert statuses(made) == ["cancelled"]
    assert ledger.verify(made.run_id).ok


@pytest.mark.parametrize(
    ("error", "new"), [(Rejected("too late"), "rejected"), (Transient("busy"), "rejected"), (None, "accepted")]
)
def test_a_replace_is_gated_and_its_errors_say_what_is_known_of_the_new_order(house, error, new):
    class Replacing(Venue):
        async def replace_order_async(self, order, by):
            assert by.status == "submitted"
            if error is not None:
                raise error
            await super().replace_order_async(order, by)

    class Replacer(Script):
        def on_bar(self, bar, context):
            seen.append([order.status for order in context.open_orders()])
            wanted = super().on_bar(bar, context)
            return wanted or ([ReplaceRequest(order_id=order.id, qty=Decimal(3))
                               for order in context.open_orders()] if len(seen) == 2 else [])  # fmt: skip

    seen = []
    made = session(house, Replacer([buy(1, limit=LOW)]), minutes(3), brokerage=Replacing())
    run(made)
    old = [] if error is None else ["accepted"]
    assert seen[2] == [*old, *([new] if new != "rejected" else [])]


def test_each_of_linked_orders_is_held_against_what_is_halted(house):
    """An exit passes a halt, and takes no entry along with it."""
    pair = one_triggers_other(sell(1), buy(1, "BAC", limit=LOW))
    bars = [bar(100.0, symbol="BAC"), *minutes(3)]
    made = session(house, Script([], [buy(1)], [pair]), bars, universe=("SPY", "BAC"))
    house.halt((Scope.SYMBOL, "BAC", "news"))
    assert run(made).status == "completed"
    assert statuses(made) == ["filled", "denied", "denied"]


def test_an_order_that_was_cancelled_while_those_linked_with_it_waited_stays_behind(house):
    class Slow(Venue):
        async def submit_order_async(self, order, linked=()):
            sent.extend((order, *linked))
            await super().submit_order_async(order, linked)

    sent = []
    pair = one_cancels_other(buy(1, limit="101"), buy(1, limit=LOW))
    made = session(house, Script([pair]), minutes(2), brokerage=Slow())

    async def halted_meanwhile(orders):
        made.engine._drop(made.engine.orders[orders[0].id], "halted")

    made._desk.standing.grant = halted_meanwhile
    assert run(made).status == "completed"
    assert statuses(made) == ["cancelled", "cancelled"]
    assert [order.limit_price for order in sent] == [Decimal(LOW)]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (sell(2), "denied"),
        (sell(1, "BAC"), "denied"),
        (bracket(sell(2), Decimal(1), Decimal(500)), "denied"),
        (sell(1), "filled"),
    ],
)
def test_a_venue_that_knows_no_reduce_only_orders_gets_none_that_could_open_something(house, wanted, status):
    class Plain(Venue):
        holds_reduce_only = False

    if not wanted.then:
        wanted = msgspec.structs.replace(wanted, reduce_only=True)
    bars = [bar(100.0, symbol="BAC"), *minutes(4)]
    made = session(house, Script([], [buy(1)], [], [wanted]), bars, brokerage=Plain(), universe=("SPY", "BAC"))
    assert run(made).status == "completed"
    assert statuses(made)[1] == status


def test_a_venue_that_knows_no_reduce_only_orders_gets_the_exits_of_what_it_is_to_open(house):
    class Plain(Venue):
        holds_reduce_only = False

    pairs = [bracket(buy(2), Decimal(500), Decimal(1)) for _ in range(2)]
    made = session(house, Script(pairs), minutes(3), brokerage=Plain())
    assert run(made).status == "completed"
    assert statuses(made).count("filled") == 2
    assert "denied" not in statuses(made)


def test_linked_orders_leave_in_one_call_and_are_refused_together(house):
    calls = []

    class Refusing(Venue):
        async def submit_order_async(self, order, linked=()):
            calls.append((order.qty, len(linked)))
            raise Rejected("no brackets here")

    made = session(house, Script([bracket(buy(2), Decimal(500), Decimal(1))]), minutes(2), brokerage=Refusing())
    run(made)
    assert calls == [(2, 2)]
    assert statuses(made) == ["rejected"] * 3


def test_a_venue_that_cannot_be_connected_ends_the_run_with_its_words_alone(house):
    class Closed(Venue):
        async def connect_async(self):
            raise Fatal("no credentials: set THE_VARIABLE")

    made = session(house, Script([buy(1)]), minutes(1), brokerage=Closed())
    summary = run(made)
    assert (summary.status, summary.reason) == ("failed", "Fatal: no credentials: set THE_VARIABLE")


def test_an_order_that_waited_at_the_adapter_is_asked_about_once_more(house):
    asked = []

    class Waiting(Venue):
        async def submit_order_async(self, order, linked=()):
            asked.append(self.may_leave(order))
            house.engaged = True
            await asyncio.to_thread(eventually, lambda: not self.may_leave(order))
            raise Transient("it may not leave any more")

    made = session(house, Script([buy(1)]), minutes(1), brokerage=Waiting())
    run(made)
    assert asked == [True]
    assert statuses(made) == ["rejected"]
