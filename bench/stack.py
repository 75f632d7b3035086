"""A stack of its own for a measurement: started as a user starts it, on loopback, in a folder that goes with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import requests
from dotenv import dotenv_values

PROJECT = Path(__file__).resolve().parent.parent
MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
PIPELINE = "urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop"
SYMBOLS = ["SPY", "BAC"]


@dataclass
class Stack:
    """A stack that is up. ``token`` may do anything; ``operator`` has a ``username`` and a ``password``."""

    url: str
    var: Path
    operator: dict[str, str]
    environment: dict[str, str]
    servers: dict[str, str]
    token: str = ""

    def cli(self, *arguments: str) -> Any:
        """The JSON document of `alphaswarm ARGUMENTS --json`, which must succeed."""
        command = [sys.executable, "manage.py", *arguments, "--json"]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, check=True, timeout=90
        )
        return json.loads(done.stdout)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self.url}{path}", json=body, headers=self.headers, timeout=60)
        if not answer.ok:
            raise SystemExit(f"{path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.servers["DATABASE_URL"], autocommit=True)

    def start(self, recipe: dict[str, Any], count: int = 1) -> list[str]:
        """The ids of ``count`` new runs of a recipe."""
        return [self.post("/paper/start", recipe)["paper_run_id"] for _ in range(count)]

    def wait_for_running(self, sessions: int) -> None:
        with self.database() as database:
            wait_until(lambda: _count(database, "status = 'running'") == sessions)

    def stop_all(self) -> None:
        """Drain every session and wait until all have ended."""
        self.post("/paper/stop-all", {})
        with self.database() as database:
            wait_until(lambda: not running(database))

    def workers(self, queue: str) -> list[psutil.Process]:
        """The main processes of the workers of a queue."""
        found = [
            process
            for process in psutil.process_iter(["cmdline"])
            if f"--queues={queue}" in (process.info["cmdline"] or []) and _belongs_to(process, self.var)
        ]
        if not found:
            raise LookupError(f"no worker of queue {queue} runs in {self.var}")
        return found


def _belongs_to(process: psutil.Process, var: Path) -> bool:
    try:
        # A worker's children have its command line too.
        above = process.parent()
        main = above is None or "worker" not in above.cmdline()
        return main and process.environ().get("ALPHASWARM_STACK") == str(var)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@contextmanager
def started(**extra: str) -> Iterator[Stack]:
    """`alphaswarm up --no-demo` in a fresh folder on a free port; ended and removed afterwards, Ctrl-C included.

    ``extra`` are more variables of its environment.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    var = Path(tempfile.mkdtemp(prefix="as-bench-"))
    environment = {**clean_environment(var), **extra}
    command = [sys.executable, "manage.py", "up", "--port", str(free_port()), "--no-demo", "--json"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the stack did not start: it ended with {process.wait()}")
        document = json.loads(line)
        servers = {name: value or "" for name, value in dotenv_values(var / "env").items()}
        stack = Stack(document["url"].removesuffix("/"), var, document["operator"], environment, servers)
        stack.token = stack.cli("token", "create", "--name", "bench", "--scope", "admin")["token"]
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        shutil.rmtree(var, ignore_errors=True)


def clean_environment(var: Path) -> dict[str, str]:
    """This environment without what would lead a stack to other servers or settings."""
    mine = ("ALPHASWARM_", "DATABASE_URL", "REDIS_URL", "OTEL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return {**inherited, "ALPHASWARM_VAR": str(var), "PYTHON_DOTENV_DISABLED": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 90, every: float = 0.05) -> None:
    """Raises TimeoutError when ``condition`` does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} seconds in vain")
        time.sleep(every)


def running(database: psycopg.Connection[Any]) -> int:
    """The sessions that have not ended."""
    ended = "'completed', 'stopped', 'killed', 'halted', 'failed', 'blocked', 'interrupted'"
    return _count(database, f"status NOT IN ({ended})")


def _count(database: psycopg.Connection[Any], condition: LiteralString) -> int:
    row = database.execute(f"SELECT count(*) FROM runs WHERE {condition}").fetchone()
    return int(row[0]) if row else 0


def ladder(**session: Any) -> dict[str, Any]:
    """A session at one bar a second per symbol that rests five orders per symbol far below the market."""
    strategy = {"class": "LimitLadderStrategy", "kwargs": {"levels": 5, "step_bps": 300, "quantity": 1}}
    feed = {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Sec", "pace": "1x"}}
    return recipe(strategy, feed, **session)


def recipe(strategy: dict[str, Any], feed: dict[str, Any], **session: Any) -> dict[str, Any]:
    """A recipe on the simulated venue."""
    return {
        "name": "bench",
        "universe": SYMBOLS,
        "strategy": strategy,
        "feed": feed,
        "brokerage": {"class": "SimulatedBrokerage", "kwargs": {"starting_cash": 100_000}},
        "risk": {},
        "session": {"model_urn": MODEL, "pipeline_urn": PIPELINE, **session},
    }
