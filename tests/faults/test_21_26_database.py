"""The database goes away, is cut off, is full: nothing leaves that is not durable, and nothing is lost."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from alphaswarm_site.stack.postgres import SUPERUSER
from risk.gate import OrderGate, Verdict
from tests.faults.stack import Rig, rig
from tests.faults.test_01_10_crashes import dies_and_goes_on
from tests.faults.venue import PRICE
from tests.risk.waiting import eventually
from trading.reconciling.resolving import SETTLED_SECONDS

pytestmark = pytest.mark.faults

AWAY_SECONDS = 10.0
#: What is on its way when a wire is cut may still arrive.
ON_ITS_WAY_SECONDS = 2.0


def test_21_nothing_leaves_while_the_database_is_away_and_the_run_goes_on_afterwards(stack: Rig) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    gate = OrderGate(stack.stack.var / "gate")
    stack.database_wire.refuse()
    away_since = time.monotonic()
    eventually(lambda: gate.verdict() is Verdict.STALE, 2)
    eventually(lambda: time.monotonic() > away_since + ON_ITS_WAY_SECONDS, 10)
    sent = len(stack.venue.orders_of(run_id))
    eventually(lambda: time.monotonic() > away_since + AWAY_SECONDS, 20)
    assert len(stack.venue.orders_of(run_id)) == sent
    stack.database_wire.restore()
    stack.goes_on(run_id)
    stack.stop(run_id)


def test_22_what_the_venue_did_while_the_database_was_away_is_booked_afterwards(stack: Rig) -> None:
    run_id = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(run_id, 3)
    stack.database_wire.refuse()
    away_since = time.monotonic()
    stack.venue.trade("1")
    eventually(lambda: time.monotonic() > away_since + AWAY_SECONDS, 20)
    stack.venue.trade(PRICE)
    stack.database_wire.restore()
    eventually(lambda: stack.row(run_id, "num_fills") == 3, 60)
    stack.stop(run_id)


@pytest.mark.parametrize("point", ["in-commit", "after-commit"])
def test_23_killed_in_a_commit(stack: Rig, point: str) -> None:
    dies_and_goes_on(stack, point, waits=SETTLED_SECONDS)


def test_24_backends_that_are_terminated_every_second(stack: Rig) -> None:
    run_id = stack.start(stack.venue.trading())
    over = threading.Event()

    def terminate() -> int:
        cut = 0
        url = stack.servers.database_url(SUPERUSER)
        with psycopg.connect(url, autocommit=True) as superuser:
            while not over.wait(1.0):
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alphaswarm'"
                cut += len(superuser.execute(query).fetchall())
        return cut

    with ThreadPoolExecutor(1) as pool:
        terminator = pool.submit(terminate)
        try:
            before = len(stack.venue.orders_of(run_id))
            eventually(lambda: len(stack.venue.orders_of(run_id)) >= before + 10, 60)
        finally:
            over.set()
        assert terminator.result() > 3
    stack.goes_on(run_id)
    stack.stop(run_id)


def test_25_with_every_connection_taken_the_kill_is_heard_and_nothing_is_lost(stack: Rig) -> None:
    run_id = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(run_id, 3)
    held: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(stack.servers.database_url()))
        engaged = stack.engage()
    finally:
        for connection in held:
            connection.close()
    stack.comes_to(run_id, "killed")
    stack.oracle.check(killed_at=engaged)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a small disk")
def test_26_with_a_full_disk_nothing_leaves_and_the_run_goes_on_once_there_is_room() -> None:
    with rig(room=400) as stack:
        fills_the_disk(stack)
        stack.oracle.check()


def fills_the_disk(stack: Rig) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    with stack.full_disk():
        full_since = time.monotonic()
        eventually(lambda: time.monotonic() > full_since + ON_ITS_WAY_SECONDS, 10)
        sent = len(stack.venue.orders_of(run_id))
        eventually(lambda: time.monotonic() > full_since + AWAY_SECONDS, 20)
        assert len(stack.venue.orders_of(run_id)) == sent
    stack.goes_on(run_id)
    stack.stop(run_id)
