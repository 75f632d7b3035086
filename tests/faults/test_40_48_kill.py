"""The kill, with parts of the stack gone: nothing leaves 250 ms later, and what is open is cancelled, or shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
import requests

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from bench.kill_scenarios import Kill
from tests.environment import PROJECT
from tests.faults.stack import Rig
from tests.live import LiveStack
from tests.trading.test_end_to_end import eventually

faults = pytest.mark.faults


def killed(stack: Rig, runs: list[str], missing: Callable[[Rig], AbstractContextManager[None]] = nullcontext) -> None:
    """Kill, with a part of the stack missing, and ask the oracle once every run has ended."""
    kill = Kill.ready(stack.stack)
    with missing(stack):
        engaged = kill.call()
    stack.calm()
    for run_id in runs:
        stack.comes_to(run_id, "killed", "interrupted")
    eventually(lambda: not stack.open_orders(), 60)
    stack.oracle.check(killed_at=engaged)


@contextmanager
def without_web(stack: Rig) -> Iterator[None]:
    supervisor = Supervisor(StackPaths(stack.stack.var))
    supervisor.stop("web")
    try:
        yield
    finally:
        supervisor.run("web")
        eventually(lambda: answers(stack), 60)


def answers(stack: Rig) -> bool:
    with suppress(requests.RequestException):
        return stack.client.session.get(f"{stack.stack.base_url}/readyz", timeout=10).ok
    return False


@contextmanager
def without_redis(stack: Rig) -> Iterator[None]:
    stack.redis_wire.refuse()
    yield


@contextmanager
def without_database(stack: Rig) -> Iterator[None]:
    stack.database_wire.refuse()
    yield


@pytest.mark.faults(seconds=600)
def test_40_a_kill_of_a_hundred_sessions_at_the_full_rate_of_frames(stack: Rig) -> None:
    runs = [stack.begin(stack.venue.trading(pace="20x")) for _ in range(100)]
    for run_id in runs:
        stack.has_sent(run_id, 1, 180)
    killed(stack, runs)


@faults
@pytest.mark.parametrize(
    "missing", [without_redis, without_database, without_web, nullcontext], ids=["41", "42", "43", "45"]
)
def test_41_42_43_45_a_kill_with_a_part_of_the_stack_gone_and_submits_under_way(
    stack: Rig, missing: Callable[[Rig], AbstractContextManager[None]]
) -> None:
    runs = [stack.start(stack.venue.trading(pace="20x")) for _ in range(3)]
    for run_id in runs:
        stack.has_sent(run_id, 2)
    killed(stack, runs, missing)


@faults
def test_44_a_kill_while_a_strategy_blocks_its_loop(stack: Rig, tmp_path: Path) -> None:
    flag, config = tmp_path / "blocked", tmp_path / "recipe.json"
    strategy = {"class": "BlockingStrategy", "kwargs": {"file": str(flag)}}
    config.write_text(json.dumps(stack.venue.recipe(strategy)))
    before = stack.known_runs()
    command = [sys.executable, "-m", "bench.blocking", str(config)]
    process = subprocess.Popen(command, cwd=PROJECT, env=stack.stack.environment, stdout=subprocess.DEVNULL)
    try:
        [run_id] = eventually(lambda: stack.known_runs() - before, 60)
        stack.runs.append(run_id)
        stack.has_sent(run_id, 2)
        flag.touch()
        engaged = stack.engage()
        eventually(lambda: not stack.open_orders(), 30)
        flag.unlink()
        stack.comes_to(run_id, "killed", "interrupted")
    finally:
        flag.unlink(missing_ok=True)
        process.kill()
        process.wait(10)
    stack.oracle.check(killed_at=engaged)


@faults
def test_46_cancels_that_are_refused_are_shown_as_unconfirmed_and_asked_for_again(stack: Rig) -> None:
    run_id = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(run_id, 3)
    stack.venue.fault("refuse_throttle", times=1000, where="DELETE")
    engaged = stack.engage()
    stack.comes_to(run_id, "killed")
    assert "not confirmed" in stack.row(run_id, "reason")
    assert stack.open_orders() == 3
    stack.venue.clear_faults()
    eventually(lambda: not stack.open_orders(), 60)
    stack.oracle.check(killed_at=engaged)


@faults
def test_47_after_a_reboot_the_kill_is_still_engaged(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with LiveStack.started(var) as first:
        first.cli_json("kill", "engage", "--reason", "before the power went")
        for word in ("--queues=live", "gatekeeper", "alphaswarm_site.asgi:application"):
            first.kill_program(word)
    with LiveStack.started(var) as second:
        assert second.cli_json("kill", "status")["engaged"]
        refused = second.cli("paper", "run", "--config", "sim_sma_cross", "--json")
        assert json.loads(refused.stdout)["code"] == "kill_engaged"


@faults
def test_48_a_kill_with_the_venue_cut_off_is_not_shown_as_done(stack: Rig) -> None:
    run_id = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(run_id, 3)
    stack.venue.wire.refuse()
    engaged = stack.engage()
    stack.comes_to(run_id, "killed")
    assert "not confirmed" in stack.row(run_id, "reason")
    assert stack.open_orders() == 3
    assert not stack.stack.cli_json("kill", "status")["measured"]["confirmed"]
    stack.venue.wire.restore()
    eventually(lambda: not stack.open_orders(), 60)
    stack.oracle.check(killed_at=engaged)
