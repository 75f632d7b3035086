"""One owner per run, on the real database."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from tests.ledger.builders import Trading
from tests.risk.waiting import eventually
from trading import connections, ledger, supervisor
from trading.engine.orders import OrderStatus
from trading.engine.records import Kind, Record
from trading.lease import LeaseKeeper, claim, keeper
from trading.ledger import LeaseLost
from trading.models import Mode, Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor.dispatch, "send", lambda run: None)
    monkeypatch.setattr(supervisor, "raise_alert", lambda *_: None)


def queued_run(**columns):
    made = {"name": "leased", "mode": Mode.PAPER, "recipe": {}, "starting_cash": Decimal(1000), **columns}
    return Run.objects.create(task_id=str(uuid.uuid4()), **made)


def status(name):
    return Record(Kind.RUN_STATUS, 1, data={"status": name})


@contextmanager
def held(*leases):
    keeper, before = LeaseKeeper(), set(threading.enumerate())
    for lease in leases:
        keeper.hold(lease)
    (thread,) = [one for one in set(threading.enumerate()) - before if one.name == "lease-keeper"]
    yield keeper
    for lease in leases:
        keeper.release(lease)
    thread.join(10)


def expire(run):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])


def test_a_run_that_comes_back_to_its_process_keeps_its_new_lease_when_the_old_one_is_let_go():
    run = queued_run()
    old = claim(run.pk)
    ledger.append_now(run.pk, [status("running")], token=old.token)
    expire(run)
    assert supervisor.take_from_lost() == [run.pk]
    new = claim(run.pk)
    with held(old, new) as keeper:
        keeper.release(old)
        assert keeper.drain() == 1


def test_of_two_claims_one_wins():
    run = queued_run()
    assert claim(run.pk) is not None
    assert claim(run.pk) is None


def test_of_many_claims_at_once_one_wins():
    run = queued_run()
    won = []

    def try_it():
        if claim(run.pk) is not None:
            won.append(True)
        connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_only_a_queued_run_can_be_claimed():
    assert claim(queued_run(status=RunStatus.COMPLETED).pk) is None
    assert claim(uuid.uuid4()) is None


def test_a_run_whose_lease_expired_is_another_owners_and_the_old_one_is_fenced_off():
    run = queued_run()
    lease = claim(run.pk)
    ledger.append_now(run.pk, [status("running")], token=lease.token)
    expire(run)
    assert supervisor.take_from_lost() == [run.pk]
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.QUEUED, f"resumes after its owner {run.owner} was lost")
    with pytest.raises(LeaseLost):
        ledger.append_now(run.pk, [status("completed")], token=lease.token)
    assert claim(run.pk) is not None


def test_an_owner_that_only_could_not_reach_the_database_is_given_time_to_renew(monkeypatch):
    run = queued_run()
    lease = claim(run.pk)
    expire(run)
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 2.0)
    with held(lease):
        assert supervisor.take_from_lost() == []
    run.refresh_from_db()
    assert run.status == RunStatus.STARTING


@pytest.mark.parametrize("venue", ["sim", "alpaca"])
def test_open_orders_stay_open_for_the_next_owner(venue):
    run = queued_run(venue=venue)
    lease = claim(run.pk)
    trading = Trading(run)
    order = trading.order(limit=Decimal(90))
    accepted = [
        trading.intend(order),
        trading.submit(order),
        trading.step(order, OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED),
    ]
    ledger.append_now(run.pk, accepted, token=lease.token)
    expire(run)
    assert supervisor.take_from_lost() == [run.pk]
    assert run.orders.get().status == "accepted"
    assert ledger.verify(run.pk).ok


def test_a_run_that_is_kept_is_left_alone():
    claim(queued_run().pk)
    assert supervisor.take_from_lost() == []


def test_a_run_that_nobody_took_is_sent_again_but_not_over_and_over():
    waiting = queued_run()
    Run.objects.filter(pk=waiting.pk).update(created_at="2026-01-01T00:00:00Z")
    queued_run()
    assert supervisor.redispatch_unclaimed() == [waiting.pk]
    assert supervisor.redispatch_unclaimed() == []


def test_the_keeper_renews_what_is_held_and_learns_of_a_stop():
    run = queued_run()
    lease = claim(run.pk)
    first = lease.valid_until
    stopped = threading.Event()
    lease.on_stop = stopped.set
    Run.objects.filter(pk=run.pk).update(stop_requested_at="2026-01-01T00:00:00Z")
    with held(lease):
        assert stopped.wait(10)
        assert lease.valid_until > first
        assert lease.valid


def test_the_keeper_tells_of_a_lease_that_was_taken():
    lease = claim(queued_run().pk)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET fencing_token = fencing_token + 1 WHERE id = %s", [lease.run_id])
    lost = threading.Event()
    lease.on_lost = lost.set
    with held(lease):
        assert lost.wait(10)
    assert not lease.valid


def test_a_stop_that_was_asked_for_while_the_run_was_built_is_not_missed():
    run = queued_run()
    lease = claim(run.pk)
    Run.objects.filter(pk=run.pk).update(stop_requested_at="2026-01-01T00:00:00Z")
    first, second = threading.Event(), threading.Event()
    lease.on_stop = first.set
    with held(lease):
        assert first.wait(10)
        lease.on_stop = second.set
        assert second.wait(10)


def test_a_keeper_that_drains_tells_what_it_holds_and_what_it_will_hold():
    now, later = claim(queued_run().pk), claim(queued_run().pk)
    stopped = threading.Event()
    now.on_stop = stopped.set
    with held(now) as keeper:
        assert keeper.drain() == 1
        assert stopped.is_set()
        stopped.clear()
        keeper.release(now)
        later.on_stop = stopped.set
        keeper.hold(later)
        assert stopped.wait(10)
        keeper.release(later)


def test_an_owner_that_cannot_be_told_does_not_cost_the_others_their_lease():
    broken, other = claim(queued_run().pk), claim(queued_run().pk)
    Run.objects.filter(pk=broken.run_id).update(stop_requested_at="2026-01-01T00:00:00Z")
    told = threading.Event()

    def fail():
        told.set()
        raise RuntimeError("no")

    broken.on_stop = fail
    stopped = threading.Event()
    other.on_stop = stopped.set
    Run.objects.filter(pk=other.run_id).update(stop_requested_at="2026-01-01T00:00:00Z")
    with held(broken, other):
        assert told.wait(10)
        told.clear()
        assert told.wait(10)
        assert stopped.wait(10)


def test_a_lease_that_could_not_be_renewed_may_not_send_and_goes_on_when_nobody_took_it(monkeypatch):
    lease = claim(queued_run().pk)
    monkeypatch.setattr("trading.lease.RENEW_SECONDS", 0.02)
    away = threading.Event()
    tried = threading.Semaphore(0)

    def connect(**options):
        if away.is_set():
            tried.release()
            raise psycopg.OperationalError("the database is away")
        return connections.connect(**options)

    monkeypatch.setattr("trading.lease.connect", connect)
    lost = []
    lease.on_lost = lambda: lost.append(True)
    away.set()
    lease.valid_until = 0.0
    with held(lease):
        for _ in range(3):
            assert tried.acquire(timeout=10)
        assert not lease.valid
        away.clear()
        eventually(lambda: lease.valid)
    assert not lost


def test_of_two_askers_at_once_both_get_the_one_keeper_of_the_process():
    barrier, found = threading.Barrier(8), []

    def ask():
        barrier.wait()
        found.append(keeper())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1
