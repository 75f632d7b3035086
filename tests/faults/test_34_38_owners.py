"""One owner at a time, whoever else believes to be one."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.faults.stack import RECOVERY_SECONDS, Rig
from tests.trading.test_end_to_end import eventually
from trading import supervisor
from trading.lease import claim
from trading.models import Mode, Run

faults = pytest.mark.faults
in_database = pytest.mark.django_db(transaction=True)


def at_once(function: Callable[[], Any], times: int = 4) -> list[Any]:
    """What so many callers get who are let go together, each with a connection of its own."""
    together = threading.Barrier(times)

    def one(_: int) -> Any:
        together.wait()
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def new_run() -> Run:
    return Run.objects.create(
        task_id=str(uuid.uuid4()), name="owned", mode=Mode.PAPER, recipe={}, starting_cash=Decimal(1000)
    )


@in_database
def test_34_of_claims_at_once_one_wins() -> None:
    run = new_run()
    leases = [lease for lease in at_once(lambda: claim(run.pk)) if lease is not None]
    assert [lease.token for lease in leases] == [1]


@in_database
def test_38_supervisors_that_look_at_once_take_a_lost_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    run = new_run()
    assert claim(run.pk) is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])
    assert sorted(len(taken) for taken in at_once(supervisor.take_from_lost)) == [0, 0, 0, 1]
    run.refresh_from_db()
    assert run.fencing_token == 2


@faults
def test_35_an_owner_that_slept_past_its_lease_is_fenced_when_it_wakes(stack: Rig) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    sleeper = stack.owner(run_id)
    os.kill(sleeper, signal.SIGSTOP)
    try:
        stack.goes_on(run_id)
        assert stack.owner(run_id) != sleeper
    finally:
        os.kill(sleeper, signal.SIGCONT)
    stack.goes_on(run_id)
    assert stack.owner(run_id) != sleeper
    stack.stop(run_id)


@faults
def test_36_a_session_whose_worker_is_killed_is_resumed(stack: Rig) -> None:
    runs = [stack.start(stack.venue.trading()) for _ in range(3)]
    for run_id in runs:
        stack.has_sent(run_id, 2)
    os.kill(stack.owner(runs[0]), signal.SIGKILL)
    assert stack.goes_on(runs[0]) < RECOVERY_SECONDS
    for run_id in runs:
        stack.goes_on(run_id)
        stack.stop(run_id)


@faults
def test_37_a_session_whose_worker_is_told_to_end_is_handed_over_with_its_orders(stack: Rig) -> None:
    trading, resting = stack.start(stack.venue.trading()), stack.start(stack.venue.resting())
    stack.has_sent(trading, 2)
    stack.has_sent(resting, 5)
    owner = stack.owner(resting)
    os.kill(owner, signal.SIGTERM)
    eventually(lambda: stack.owner(resting) != owner, RECOVERY_SECONDS)
    stack.comes_to(resting, "running")
    stack.goes_on(trading)
    ended = {entry["client_order_id"] for entry in stack.venue.entries("end")}
    assert not ended & {order["client_order_id"] for order in stack.venue.orders_of(resting)}
    assert len(stack.venue.orders_of(resting)) == 5
    stack.stop(trading)
    stack.stop(resting)
