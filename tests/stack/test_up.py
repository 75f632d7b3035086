"""`alphaswarm up` as a user meets it: from the first start to Ctrl-C, and after every other end."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from alphaswarm_site.stack import leftovers
from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from tests.live import LiveStack, clean_environment, free_port, start_up
from tests.risk.waiting import eventually


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    """One folder for the whole file: each test finds what the one before has left."""
    paths = StackPaths(tmp_path_factory.mktemp("up") / "a folder")
    yield paths
    leftovers.end(paths)


@pytest.fixture(scope="module")
def session() -> list[str]:
    """The id of the session that the first stack ran."""
    return []


def status(url: str) -> int:
    with urlopen(url, timeout=10) as answer:
        return int(answer.status)


def started(stack: LiveStack) -> str:
    """The id of a session that runs and would never end."""
    run_id: str = stack.cli_json("paper", "run", "--config", "demo", "--celery")["run_id"]
    runs(stack, run_id)
    return run_id


def runs(stack: LiveStack, run_id: str) -> None:
    eventually(lambda: stack.cli_json("paper", "status", run_id)["status"] == "running", 60)


def test_from_the_first_start_to_ctrl_c(paths: StackPaths, session: list[str]) -> None:
    with LiveStack.started(paths.var) as stack:
        session.append(started(stack))
        assert (stack.username, len(stack.password) >= 12) == ("operator", True)
        assert status(f"{stack.base_url}/readyz") == 200
        assert paths.env.read_text().splitlines()[0].startswith("DATABASE_URL=postgresql://")

        second = start_up(stack.environment, free_port())
        _, errors = second.communicate(timeout=30)
        assert second.returncode == 1
        assert f"already running at {stack.base_url}/ (pid {stack.process.pid}" in errors
        assert status(f"{stack.base_url}/healthz") == 200
    assert stack.process.returncode == 0
    assert not paths.env.exists()
    assert leftovers.find(paths) == []


def test_the_programs_of_the_site_stop_before_the_servers(paths: StackPaths) -> None:
    log = (paths.log / "supervisord.log").read_text()
    stopped = [line.split("stopped: ")[1].split()[0] for line in log.splitlines() if "stopped: " in line]
    assert (stopped[0], set(stopped[1:3])) == ("web", {"beat", "guard"})
    assert set(stopped[3:6]) == {"worker-live-1", "worker-live-2", "worker-jobs"}
    assert stopped[6] == "gatekeeper"
    assert set(stopped[7:]) == {"redis", "postgres"}


def test_the_next_start_finds_the_data_and_keeps_its_environment_off_the_disk(
    paths: StackPaths, session: list[str]
) -> None:
    with LiveStack.started(paths.var, ALPHASWARM_ALPACA_SECRET_KEY="canary-7b1") as stack:
        assert stack.password == "", "the operator of the first start is still there"
        assert stack.cli_json("paper", "status", session[0])["status"] == "stopped", "it drained with the stack"
        web = next(p for p in leftovers.find(paths) if "daphne" in p.cmdline())
        assert web.environ()["ALPHASWARM_ALPACA_SECRET_KEY"] == "canary-7b1"
        found = subprocess.run(["grep", "-rlE", "canary-7b1|63616e6172792d376231", paths.var], capture_output=True)
        assert found.stdout == b""


def test_a_killed_up_is_succeeded(paths: StackPaths) -> None:
    with LiveStack.started(paths.var) as killed:
        run_id = started(killed)
        killed.process.kill()
        killed.process.wait()
        supervisor = Supervisor(paths).pid()
        with LiveStack.started(paths.var) as stack:
            runs(stack, run_id)
            assert Supervisor(paths).pid() == supervisor
            assert status(f"{stack.base_url}/readyz") == 200
    assert leftovers.find(paths) == []


def test_a_killed_up_and_a_killed_supervisor_are_succeeded(paths: StackPaths) -> None:
    with LiveStack.started(paths.var) as killed:
        killed.process.kill()
        os.kill(Supervisor(paths).pid() or 0, signal.SIGKILL)
        killed.process.wait()
        with LiveStack.started(paths.var) as stack:
            assert status(f"{stack.base_url}/readyz") == 200
    assert leftovers.find(paths) == []


def test_a_taken_port_is_named_and_another_proposed(paths: StackPaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start_up(clean_environment(paths.var), port)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in errors
    assert f"make run PORT={port + 1}" in errors
    assert leftovers.find(paths) == []
