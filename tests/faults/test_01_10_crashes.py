"""A worker that dies at the worst of moments, and a venue that does not answer: every order exactly once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.stack import RECOVERY_SECONDS, Rig
from tests.faults.venue import venue
from trading.reconciling.resolving import SETTLED_SECONDS

faults = pytest.mark.faults


#: What the one of them that is among the ordinary tests, which share the machine with others, may take.
BUSY_SECONDS = 60.0


def dies_and_goes_on(stack: Rig, point: str, within: float = RECOVERY_SECONDS, waits: float = 0.0) -> None:
    """A worker is killed at a point; its run goes on by itself, in another process, and trades on once it has waited
    for what may have been on its way."""
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    token = stack.row(run_id, "fencing_token")
    stack.hits(stack.arm(point))
    began = time.monotonic()
    stack.resumes(run_id, token, within)
    stack.goes_on(run_id)
    assert time.monotonic() - began < within + waits
    stack.stop(run_id)


@faults
def test_01_killed_after_the_intent_and_before_the_send(stack: Rig) -> None:
    dies_and_goes_on(stack, "intended", waits=SETTLED_SECONDS)


def test_02_killed_after_the_send_and_before_the_acknowledgement_is_booked(stack: Rig) -> None:
    dies_and_goes_on(stack, "sent", BUSY_SECONDS)


@faults
def test_03_killed_after_the_acknowledgement_and_before_its_commit(stack: Rig) -> None:
    dies_and_goes_on(stack, "before-order.accepted")


@faults
def test_04_killed_after_a_fill_and_before_its_commit(stack: Rig) -> None:
    dies_and_goes_on(stack, "before-order.filled")


@faults
@pytest.mark.parametrize("fault", ["swallow", "error", "garbage"])
def test_05_06_an_answer_that_is_lost_or_cannot_be_read_is_never_a_second_order(stack: Rig, fault: str) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 2)
    stack.venue.fault(fault, times=3)
    stack.goes_on(run_id)
    stack.stop(run_id)


@faults
@pytest.mark.parametrize(("point", "waits"), [("intended", SETTLED_SECONDS), ("sent", 0.0)])
def test_09_at_a_venue_that_would_take_an_order_twice_it_takes_each_once(
    stack: Rig, tmp_path: Path, point: str, waits: float
) -> None:
    with venue(tmp_path, "--forgetful") as forgetful:
        own, stack.venue = stack.venue, forgetful
        try:
            dies_and_goes_on(stack, point, waits=waits)
            stack.oracle.check()
        finally:
            stack.venue = own
            stack.runs.clear()


@pytest.mark.faults(seconds=600)
def test_10_twenty_crashes_in_a_row_under_load(stack: Rig) -> None:
    runs = [stack.start(stack.venue.trading()) for _ in range(2)]
    for crash in range(20):
        run_id = runs[crash % 2]
        stack.goes_on(run_id)
        os.kill(stack.owner(run_id), signal.SIGKILL)
    for run_id in runs:
        stack.goes_on(run_id)
        stack.stop(run_id)
