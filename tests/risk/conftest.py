"""A gatekeeper process of the tests' own, on the test database and in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from django.db import connection

from risk.gate import OrderGate, Verdict
from tests.environment import PROJECT
from tests.risk.waiting import eventually

if TYPE_CHECKING:
    from access.principals import Principal


@pytest.fixture
def var(tmp_path: Path, settings: Any) -> Path:
    """The stack's folder for one test."""
    settings.ALPHASWARM_VAR = tmp_path
    return tmp_path


@pytest.fixture
def gate(var: Path) -> OrderGate:
    return OrderGate(var / "gate")


@pytest.fixture
def operator() -> Principal:
    # A conftest is read before Django's models may be.
    from access.principals import cli_principal

    return cli_principal()


@pytest.fixture
def no_gatekeeper(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps the gate, so a kill need not wait for it."""
    monkeypatch.setattr("risk.actions.WAIT_SECONDS", 0.01)


def database_url(port: int | None = None) -> str:
    """The test database, or the same through a proxy on loopback."""
    found = connection.settings_dict
    host, at = (quote(found["HOST"], safe=""), found["PORT"]) if port is None else ("127.0.0.1", port)
    secret = f":{quote(found['PASSWORD'])}" if found["PASSWORD"] else ""
    return f"postgresql://{quote(found['USER'])}{secret}@/{found['NAME']}?host={host}" + (f"&port={at}" if at else "")


def environment(var: Path, url: str) -> dict[str, str]:
    return {**os.environ, "ALPHASWARM_VAR": str(var), "DATABASE_URL": url}


def start_gatekeeper(var: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "manage.py", "gatekeeper"]
    return subprocess.Popen(command, cwd=PROJECT, env=environment(var, url), stderr=subprocess.PIPE)


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    process.send_signal(signal.SIGCONT)
    process.send_signal(number)
    process.communicate(timeout=15)
    return process.returncode


@contextmanager
def keeping(var: Path, url: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A gatekeeper that has said its first word."""
    process = start_gatekeeper(var, url or database_url())
    try:
        reader = OrderGate(var / "gate")
        eventually(lambda: reader.verdict() is not Verdict.STALE, seconds=30)
        yield process
    finally:
        if process.poll() is None:
            end(process)


@pytest.fixture
def gatekeeper(transactional_db: None, var: Path) -> Iterator[subprocess.Popen[bytes]]:
    with keeping(var) as process:
        yield process
