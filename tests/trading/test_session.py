"""However a session ends, it drains: nothing stays open, the ledger is whole, and the last frame is `done`."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest

from tests.engine.builders import Checks, Script, buy
from tests.risk.waiting import eventually
from tests.trading.sessions import LOW, Frames, ends, feed_of, minutes, row, run, session, statuses
from trading.ledger import LeaseLost
from trading.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


def test_at_the_end_of_its_feed_it_is_completed_and_cancels_what_rests(house):
    frames = Frames()
    made = session(house, Script([buy(1)], [buy(1, limit=LOW)]), minutes(3), frames=frames)
    summary = ends(made, frames, "completed")
    assert (summary.bars, summary.fills, statuses(made)) == (3, 1, ["filled", "cancelled"])


def test_a_stop_ends_it_between_two_bars(house):
    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), lambda wake: feed(wake), frames=frames)
    feed = feed_of(minutes(1), then=lambda: threading.Thread(target=made.stop).start(), waits=True)
    assert ends(made, frames, "stopped").reason == "stopped by an operator"
    assert statuses(made) == ["cancelled"]


def test_a_stop_before_its_first_bar_is_heard(house):
    frames = Frames()
    made = session(house, Script([buy(1)]), minutes(2), frames=frames)
    made.stop()
    assert ends(made, frames, "stopped").bars == 0


def test_the_first_reason_to_end_is_the_one_that_counts(house):
    frames = Frames()
    made = session(house, Script(), lambda wake: feed(wake), frames=frames)

    def both():
        made.stop()
        house.engaged = True
        eventually(lambda: "kill.engaged" in frames.stages or made._heed.kill_epoch == 2)

    feed = feed_of(minutes(1), then=lambda: threading.Thread(target=both).start(), waits=True)
    assert run(made).status == "stopped"


def test_a_kill_ends_it_between_two_bars(house):
    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), lambda wake: feed(wake), frames=frames)
    feed = feed_of(minutes(1), then=lambda: setattr(house, "engaged", True), waits=True)
    ends(made, frames, "killed")
    assert statuses(made) == ["cancelled"]
    assert "kill.engaged" in frames.stages


def test_one_that_starts_under_a_kill_sees_no_bar(house):
    house.engaged = True
    eventually(lambda: house.gate.read().engaged)
    frames = Frames()
    assert ends(session(house, Script([buy(1)]), minutes(2), frames=frames), frames, "killed").bars == 0


def test_a_kill_that_a_stale_gate_hid_at_the_start_is_heard_when_the_gate_is_back(house):
    house.engaged = True
    known = threading.Event()
    house.watcher.subscribe(lambda epoch, engaged: engaged and known.set())
    assert known.wait(5)
    house.silent = True
    eventually(lambda: house.gate.verdict() == "stale")
    frames = Frames()
    feed = feed_of(minutes(1), then=lambda: setattr(house, "silent", False), waits=True)
    ends(session(house, Script(), feed, frames=frames), frames, "killed")


def test_one_that_reads_on_through_a_kill_loses_its_orders_and_trades_again_after_the_release(house):
    frames = Frames()
    steps = ([buy(1, limit=LOW)], [buy(1)], [buy(2)])

    async def feed(wake):
        first, second, third, fourth = minutes(4)
        yield first
        house.engaged = True
        while not any(stage == "order.cancelled" for stage in frames.stages):
            await asyncio.sleep(0.005)
            yield None
        yield second
        house.engaged = False
        await asyncio.to_thread(eventually, lambda: house.gate.verdict() == "open")
        yield third
        yield fourth

    made = session(house, Script(*steps), feed, frames=frames, stop_on_kill=False)
    ends(made, frames, "completed")
    assert statuses(made) == ["cancelled", "denied", "filled"]


def test_a_strategy_that_raises_fails_the_run_and_leaves_nothing_open(house):
    class Broken(Script):
        def on_bar(self, bar, context):
            if not self.steps:
                raise ZeroDivisionError("oops")
            return super().on_bar(bar, context)

    frames = Frames()
    made = session(house, Broken([buy(1, limit=LOW)]), minutes(3), frames=frames)
    assert "ZeroDivisionError: oops" in ends(made, frames, "failed").reason
    assert statuses(made) == ["cancelled"]


def test_a_request_that_cannot_be_takes_those_beside_it_along(house):
    frames = Frames()
    made = session(house, Script([buy(1), buy(1, symbol="NONE")]), minutes(2), frames=frames)
    ends(made, frames, "failed")
    assert statuses(made) == ["cancelled"]


def test_a_feed_that_raises_fails_the_run(house):
    def fail():
        raise OSError("cable")

    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), feed_of(minutes(2), then=fail), frames=frames)
    assert "OSError: cable" in ends(made, frames, "failed").reason
    assert statuses(made) == ["cancelled"]


def test_a_limit_ends_it_as_halted(house):
    def watch(engine, equity):
        if engine.bars == 2:
            engine.halt("max_daily_loss", "lost too much")

    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), minutes(5), frames=frames, agent=Checks(watch=watch))
    assert ends(made, frames, "halted").bars == 2
    assert "risk.halted" in frames.stages


def test_cancelling_its_task_drains_it(house):
    frames = Frames()
    made = session(house, Script([buy(1, limit=LOW)]), lambda wake: feed(wake), frames=frames)
    feed = feed_of(minutes(1), then=lambda: task.cancel(), waits=True)

    async def main():
        nonlocal task
        task = asyncio.ensure_future(made.run())
        return await task

    task = None
    assert asyncio.run(main()).status == "stopped"
    assert statuses(made) == ["cancelled"]


def test_a_gate_that_stays_stale_withholds_an_order(house, monkeypatch):
    async def at_once():
        return house.gate.verdict()

    monkeypatch.setattr(house.gate, "wait_open", at_once)
    house.silent = True
    eventually(lambda: house.gate.verdict() == "stale")
    frames = Frames()
    made = session(house, Script([buy(1)]), minutes(2), frames=frames)
    ends(made, frames, "completed")
    assert statuses(made) == ["denied"]
    assert "gate_stale" in row(made).orders.get().reason


def test_without_its_lease_nothing_leaves(house):
    frames = Frames()
    made = session(house, Script([buy(1)]), minutes(2), frames=frames)
    made._lease.valid_until = 0.0
    ends(made, frames, "completed")
    assert "lease_lost" in row(made).orders.get().reason


def test_an_owner_that_was_fenced_off_writes_and_sends_no_more(house):
    made = session(house, Script([], [buy(1)]), lambda wake: feed(wake))

    def fence():
        Run.objects.filter(pk=made.run_id).update(fencing_token=99)

    async def feed(wake):
        first, second = minutes(2)
        yield first
        await asyncio.to_thread(fence)
        yield second

    with pytest.raises(LeaseLost):
        run(made)
    assert statuses(made) == []


def test_figures_wait_for_a_database_that_is_away_and_never_cost_the_final_row(house, monkeypatch):
    monkeypatch.setattr("trading.closing.MEASURE_RETRY", 0.01)
    answers = [psycopg.OperationalError("away"), psycopg.OperationalError("away")]

    def measure():
        if answers:
            raise answers.pop()
        return {"sharpe": 1.5}

    frames = Frames()
    made = session(house, Script(), minutes(1), frames=frames, measure=measure)
    assert ends(made, frames, "completed").metrics == {"sharpe": 1.5}

    broken = session(house, Script(), minutes(1), frames=Frames(), measure=lambda: 1 / 0)
    assert run(broken).status == row(broken).status == "completed"


def test_what_the_ledger_refuses_fails_the_run_instead_of_leaving_a_hole(house):
    made = session(house, Script(), lambda wake: feed(wake))

    async def feed(wake):
        first, second = minutes(2)
        yield first
        made._journal.save_state({"positions": [{"symbol": "SPY", "last_price": "not a price"}]})
        yield second

    summary = run(made)
    assert summary.status == row(made).status == "failed"
