"""One owner per run, on the real database."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection

from trading import ledger, supervisor
from trading.engine.records import Kind, Record
from trading.lease import LeaseKeeper, claim
from trading.ledger import LeaseLost
from trading.models import Mode, Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)


def queued_run(**columns):
    made = {"name": "leased", "mode": Mode.PAPER, "recipe": {}, "starting_cash": Decimal(1000), **columns}
    return Run.objects.create(task_id=str(uuid.uuid4()), **made)


def status(name):
    return Record(Kind.RUN_STATUS, 1, data={"status": name})


@contextmanager
def held(lease):
    keeper = LeaseKeeper()
    keeper.hold(lease)
    (thread,) = [one for one in threading.enumerate() if one.name == "lease-keeper"]
    yield
    keeper.release(lease)
    thread.join(10)


def expire(run):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])


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


def test_a_run_whose_lease_expired_is_interrupted_and_its_owner_fenced_off():
    run = queued_run()
    lease = claim(run.pk)
    ledger.append_now(run.pk, [status("running")], token=lease.token)
    expire(run)
    assert supervisor.interrupt_lost() == [run.pk]
    run.refresh_from_db()
    assert run.status == RunStatus.INTERRUPTED
    assert run.owner in run.reason
    with pytest.raises(LeaseLost):
        ledger.append_now(run.pk, [status("completed")], token=lease.token)


def test_a_run_that_is_kept_is_left_alone():
    claim(queued_run().pk)
    assert supervisor.interrupt_lost() == []


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
