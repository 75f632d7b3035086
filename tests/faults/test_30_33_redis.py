"""Redis goes away, forgets everything, or falls silent: sessions trade on, and the kill needs none of it."""

from __future__ import annotations

import time

import pytest
import redis

from tests.faults.stack import Rig
from tests.trading.test_end_to_end import eventually

pytestmark = pytest.mark.faults

AWAY_SECONDS = 60.0


def frames_of(stack: Rig, run_id: str) -> list[int]:
    return [frame["seq"] for frame in stack.client.get(f"/paper/runs/{run_id}/frames?limit=1000")["items"]]


def sees_new_frames(stack: Rig, run_id: str) -> None:
    """Frames come again, numbered on from the last one that was seen."""
    before = max(frames_of(stack, run_id), default=0)
    eventually(lambda: max(frames_of(stack, run_id), default=0) > before, 60)


@pytest.mark.parametrize("how", ["refuse", "blackhole"])
def test_30_32_sessions_trade_on_without_redis_and_their_frames_resume(stack: Rig, how: str) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    getattr(stack.redis_wire, how)()
    since, sent = time.monotonic(), len(stack.venue.orders_of(run_id))
    eventually(lambda: time.monotonic() > since + AWAY_SECONDS, AWAY_SECONDS + 10)
    assert len(stack.venue.orders_of(run_id)) > sent + 10
    engaged = stack.engage()
    stack.comes_to(run_id, "killed", seconds=10)
    stack.oracle.check(killed_at=engaged)
    stack.release()
    stack.redis_wire.restore()
    again = stack.start(stack.venue.trading())
    sees_new_frames(stack, again)
    stack.stop(again)


def test_31_a_redis_that_forgot_everything_costs_no_session_and_frames_go_on(stack: Rig) -> None:
    run_id = stack.start(stack.venue.trading())
    stack.has_sent(run_id, 3)
    with redis.Redis(unix_socket_path=str(stack.servers.redis_socket)) as server:
        server.flushall()
    stack.goes_on(run_id)
    sees_new_frames(stack, run_id)
    stack.stop(run_id)


def test_33_a_task_that_is_delivered_again_starts_no_second_session(stack: Rig) -> None:
    run_id = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(run_id, 3)
    again = f"from trading.tasks import run_session; [run_session.delay('{run_id}') for _ in range(5)]"
    assert stack.stack.cli("shell", "-c", again).returncode == 0
    other = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(other, 3)
    assert len(stack.venue.orders_of(run_id)) == 3
    assert stack.row(run_id, "fencing_token") == 1
    stack.stop(run_id)
    stack.stop(other)
