"""Sweeps over real worker processes, on a whole stack: shared, cancelled, and whole after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml

from tests.environment import PROJECT
from tests.live import LiveStack
from tests.trading.market import recipe, replay, write_bars

SECONDS = 60.0
TRIALS = 8 * 8
GRID = ("--grid", "fast=2:9:1", "--grid", "slow=10:80:10")


def eventually(look: Callable[[], Any], seconds: float = SECONDS) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up, "it did not come to pass in time"
        time.sleep(0.05)
    return found


class Script:
    """The JSON API with a token; quicker to ask than a command."""

    def __init__(self, stack: LiveStack) -> None:
        token = stack.cli_json("token", "create", "--name", "sweeps", "--scope", "trade")["token"]
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._url = stack.base_url

    def get(self, path: str) -> Any:
        answer = self._session.get(self._url + path, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def under_way(self, name: str) -> Any:
        """The sweep of this name once some of its trials are done, and by far not all."""
        mine = [one for one in self.get("/sweeps")["items"] if one["name"] == name]
        return mine[0] if mine and 0 < mine[0]["done"] < TRIALS / 2 else None

    def ended(self, sweep_id: str) -> Any:
        detail = self.get(f"/sweeps/{sweep_id}")
        return None if detail["active"] else detail


@pytest.fixture(scope="module")
def script(live_stack: LiveStack) -> Script:
    return Script(live_stack)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough that workers are in the middle of a sweep when they are killed."""
    return write_bars(tmp_path_factory.mktemp("workers") / "bars.csv", minutes=10_000)


@pytest.fixture
def config(bars: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    target = tmp_path / "crossover.yaml"
    target.write_text(yaml.safe_dump(recipe(replay(bars), name=request.node.name)))
    return target


@contextmanager
def shell(stack: LiveStack, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`alphaswarm sweep run ARGUMENTS --json`, which goes on beside the test."""
    command = [sys.executable, "manage.py", "sweep", "run", *arguments, "--json"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=PROJECT, env=stack.environment, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def whole(detail: Any) -> None:
    """Every trial is done, once, and none has failed."""
    assert (detail["status"], detail["done"], detail["failed"]) == ("completed", TRIALS, 0)
    assert detail["luck"]["trials"] == TRIALS


def test_workers_share_a_sweep_and_none_of_it_is_lost_with_them(
    live_stack: LiveStack, script: Script, config: Path
) -> None:
    sweep_id = live_stack.cli_json("sweep", "run", "--config", str(config), *GRID, "--celery")["sweep_id"]
    eventually(lambda: script.get(f"/sweeps/{sweep_id}")["done"])
    for worker in _processes_of_jobs(live_stack):
        worker.kill()
    whole(eventually(lambda: script.ended(sweep_id)))


def _processes_of_jobs(stack: LiveStack) -> list[psutil.Process]:
    """The processes that do what the queue of jobs holds: children of a process of the same name."""
    mine = stack.programs("--queues=jobs")
    ids = {one.pid for one in mine}
    return [one for one in mine if one.ppid() in ids]


def test_a_shells_processes_lose_nothing_when_one_is_killed(
    live_stack: LiveStack, script: Script, config: Path
) -> None:
    with shell(live_stack, "--config", str(config), *GRID, "--processes", "2") as running:
        crew = eventually(lambda: _crew(running.pid))
        eventually(lambda: script.under_way(config_name(config)))
        crew[0].kill()
        told, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 0
    whole(json.loads(told))


def config_name(config: Path) -> str:
    return str(yaml.safe_load(config.read_text())["name"])


def _crew(pid: int) -> list[psutil.Process]:
    """Both worker processes, once they are there."""
    found = [one for one in psutil.Process(pid).children() if "spawn_main" in " ".join(one.cmdline())]
    return found if len(found) == 2 else []


def test_ctrl_c_cancels_what_a_shell_began(live_stack: LiveStack, script: Script, config: Path) -> None:
    with shell(live_stack, "--config", str(config), *GRID, "--processes", "1") as running:
        eventually(lambda: script.under_way(config_name(config)))
        os.kill(running.pid, signal.SIGINT)
        told, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 1
    detail = json.loads(told)
    assert detail["status"] == "cancelled"
    assert 0 < detail["done"] < TRIALS


def test_bad_input_is_one_line_and_exit_code_two(live_stack: LiveStack, config: Path) -> None:
    done = live_stack.cli("sweep", "run", "--config", str(config), "--grid", "fasst=1")
    assert done.returncode == 2
    assert "did you mean fast?" in done.stderr
