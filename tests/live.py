"""A whole stack in processes of its own, as a user starts it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests import reaper
from tests.environment import PROJECT

START_SECONDS = 90
STOP_SECONDS = 90


@dataclass
class LiveStack:
    """A stack that is up. `environment` is what its commands run in."""

    base_url: str
    username: str
    password: str
    var: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def started(cls, var: Path | None = None, **extra: str) -> Iterator["LiveStack"]:
        """Run `alphaswarm up` in `var`, by default a fresh folder that is removed afterwards."""
        folder = var or Path(tempfile.mkdtemp(prefix="as-live-"))
        reaper.watch(folder)
        environment = clean_environment(folder, **extra)
        process = start_up(environment, free_port())
        try:
            document = read_document(process)
            operator = document.get("operator") or {}
            yield cls(
                base_url=document["url"].removesuffix("/"),
                username=operator.get("username", ""),
                password=operator.get("password", ""),
                var=folder,
                environment=environment,
                process=process,
            )
        finally:
            stop(process)
            if var is None:
                shutil.rmtree(folder, ignore_errors=True)

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """`alphaswarm ARGUMENTS`, run to its end beside this stack."""
        return run_cli(self.environment, *arguments, timeout=timeout)

    def cli_json(self, *arguments: str, timeout: float = 60) -> Any:
        """The JSON document of `alphaswarm ARGUMENTS --json`, which must succeed."""
        done = self.cli(*arguments, "--json", timeout=timeout)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def kill_program(self, word: str) -> None:
        """SIGKILL the stack's process that has ``word`` among its arguments, and its children, as a crash would."""
        for process in self.programs(word):
            process.kill()

    def signal_program(self, word: str, number: int) -> None:
        """Send a signal to the stack's process that has ``word`` among its arguments, and not to its children."""
        programs = self.programs(word)
        ids = {process.pid for process in programs}
        for process in programs:
            if process.ppid() not in ids:
                process.send_signal(number)

    def programs(self, word: str) -> list[psutil.Process]:
        """The stack's processes that have ``word`` among their arguments."""
        found = [process for process in psutil.process_iter(["cmdline"]) if self._is_mine(process, word)]
        assert found, f"no process of this stack has {word} among its arguments"
        return found

    def _is_mine(self, process: psutil.Process, word: str) -> bool:
        try:
            return word in process.cmdline() and process.environ().get("ALPHASWARM_STACK") == str(self.var)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


def clean_environment(var: Path, **extra: str) -> dict[str, str]:
    mine = ("ALPHASWARM_", "DATABASE_URL", "REDIS_URL", "OTEL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    # One version for all of a stack's processes, however the code changes meanwhile.
    fixed = {"ALPHASWARM_VAR": str(var), "ALPHASWARM_VERSION": "0.0.0+tests", "PYTHON_DOTENV_DISABLED": "1"}
    return {**inherited, **fixed, **extra}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_up(environment: dict[str, str], port: int, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--no-demo", "--json", *arguments]
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_document(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON line that `up` prints when everything answers."""
    assert process.stdout and process.stderr
    line = process.stdout.readline()
    if not line:
        process.wait(START_SECONDS)
        raise AssertionError(f"alphaswarm up ended with {process.returncode}: {process.stderr.read()}")
    document: dict[str, Any] = json.loads(line)
    assert "url" in document, f"alphaswarm up gave up: {document}"
    return document


def stop(process: subprocess.Popen[str]) -> None:
    """Ctrl-C, and wait until everything has ended."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=STOP_SECONDS)


def run_cli(environment: dict[str, str], *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
