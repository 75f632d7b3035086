"""`alphaswarm kill`, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from risk import kill_switch
from risk.gate import OrderGate, Verdict
from tests.environment import PROJECT
from tests.risk.conftest import database_url, environment, keeping
from tests.risk.proxy import Proxy
from tests.risk.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def kill(var: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "kill", *words, "--json"]
    return subprocess.run(
        command, cwd=PROJECT, env=settings_of(var, url), capture_output=True, text=True, timeout=60, check=False
    )


def settings_of(var: Path, url: str) -> dict[str, str]:
    return {**environment(var, url), "ALPHASWARM_SECRET_KEY": "a key that needs no file"}


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_engages_and_says_what_was_measured(gatekeeper: subprocess.Popen[bytes], gate: OrderGate, var: Path) -> None:
    done = kill(var, database_url(), "engage", "--reason", "a bad fill")
    assert done.returncode == 0, done.stderr
    answer = document(done)
    assert (answer["engaged"], answer["epoch"], answer["file"], answer["database"]) == (True, 1, True, True)
    assert answer["measured"]["gate_closed_ms"] < 250
    assert gate.verdict() is Verdict.ENGAGED
    assert kill_switch.state().reason == "a bad fill"
    assert not (var / "kill").exists()


def test_it_engages_with_the_database_cut_off(var: Path, gate: OrderGate, transactional_db: None) -> None:
    wire = Proxy()
    with keeping(var, database_url(wire.port)):
        wire.cut()
        started = time.monotonic()
        done = kill(var, database_url(wire.port), "engage", "--reason", "no database")
        print(f"alphaswarm kill engage without a database took {time.monotonic() - started:.1f} s in all")
        assert done.returncode == 0, done.stderr
        answer = document(done)
        assert (answer["engaged"], answer["file"], answer["database"]) == (True, True, False)
        assert gate.verdict() is Verdict.ENGAGED
        wire.restore()
        eventually(lambda: not (var / "kill").exists(), seconds=20)
    wire.close()
    assert kill_switch.state().reason == "no database"


def test_it_engages_with_the_database_silent(var: Path, gate: OrderGate, transactional_db: None) -> None:
    wire = Proxy()
    with keeping(var, database_url(wire.port)):
        wire.mute()
        done = kill(var, database_url(wire.port), "engage", "--reason", "no answer")
        assert done.returncode == 0, done.stderr
        answer = document(done)
        assert answer["database"] is False
        # Far sooner than the database was given up: the gate does not wait for it.
        assert answer["measured"]["gate_closed_ms"] < 1000
        assert gate.verdict() is Verdict.ENGAGED
        told = document(kill(var, database_url(wire.port), "status"))
        assert (told["engaged"], told["reason"], told["durable"]) == (True, "no answer", False)
        wire.restore()
    wire.close()


def test_it_says_so_when_nothing_could_be_told(var: Path, transactional_db: None) -> None:
    wire = Proxy()
    wire.cut()
    (var / "no folder").touch()
    done = kill(var / "no folder", database_url(wire.port), "engage", "--reason", "anything")
    wire.close()
    assert done.returncode == 1
    assert document(done)["code"] == "not_engaged"


def test_it_wants_a_reason(var: Path, transactional_db: None) -> None:
    done = kill(var, database_url(), "engage", "--reason", " ")
    assert done.returncode == 2
    assert not kill_switch.is_engaged()
