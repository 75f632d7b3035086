"""The gatekeeper as a real process, on the real database."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from access.principals import Principal
from risk import halting, kill_switch
from risk.gate import OrderGate, Verdict
from risk.halts import Scope
from risk.kill_file import KillFile
from tests.risk.conftest import database_url, end, keeping, start_gatekeeper
from tests.risk.proxy import Proxy
from tests.risk.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alphaswarm gatekeeper'
"""

Process = subprocess.Popen[bytes]


@pytest.fixture
def wire(transactional_db: None) -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def becomes(gate: OrderGate, verdict: Verdict) -> float:
    return eventually(lambda: gate.verdict() is verdict)


def stays(gate: OrderGate, verdict: Verdict, seconds: float = 0.5) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert gate.verdict() is verdict


def test_the_gate_is_open_while_the_switch_is_released(gatekeeper: Process, gate: OrderGate) -> None:
    assert gate.verdict() is Verdict.OPEN


def test_a_kill_closes_the_gate_and_a_release_opens_it(
    gatekeeper: Process, gate: OrderGate, operator: Principal
) -> None:
    kill_switch.engage("drill", operator)
    closed = becomes(gate, Verdict.ENGAGED)
    assert gate.read().epoch == 1
    stays(gate, Verdict.ENGAGED, 0.2)
    kill_switch.release("drill over", operator)
    opened = becomes(gate, Verdict.OPEN)
    print(f"gate closed {closed:.1f} ms after the commit, opened {opened:.1f} ms after it")
    assert gate.read().epoch == 1


def test_a_halt_and_its_release_reach_the_gate_and_its_file(
    gatekeeper: Process, gate: OrderGate, var: Path, operator: Principal
) -> None:
    def known(count: int) -> float:
        return eventually(lambda: (halts := gate.halts()) is not None and len(halts.halts) == count)

    known(0)
    done = halting.halt(Scope.SYMBOL, "SPY", "news", operator)
    took = known(1)
    print(f"a halt was at the gate {took:.1f} ms after its commit")
    assert gate.read().halts_epoch == done.epoch
    (var / "halts").unlink()
    reader = OrderGate(var / "gate")
    eventually(lambda: (halts := reader.halts()) is not None and len(halts.halts) == 1)
    halting.release(done.halt.pk, "over", operator)
    known(0)


def test_a_kill_by_file_can_ask_for_flat_positions(gatekeeper: Process, gate: OrderGate, var: Path) -> None:
    KillFile().write("by hand", "night watch", flatten=True)
    eventually(lambda: gate.read().flatten)
    eventually(lambda: not (var / "kill").exists())
    assert kill_switch.state().flatten
    assert gate.read().flatten


def test_a_change_by_plain_sql_is_seen_without_a_notify(gatekeeper: Process, gate: OrderGate) -> None:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        connection.execute("UPDATE kill_switch SET engaged = true, epoch = 9")
    becomes(gate, Verdict.ENGAGED)
    assert gate.read().epoch == 9


def test_one_kill_by_file_and_row_is_one_change(gatekeeper: Process, gate: OrderGate, operator: Principal) -> None:
    seen = []
    kill_switch.engage("drill", operator)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        reading = gate.read()
        if not seen or seen[-1] != (reading.epoch, reading.engaged):
            seen.append((reading.epoch, reading.engaged))
    assert seen in ([(0, False), (1, True)], [(1, True)])


def test_a_second_gatekeeper_refuses_to_start(gatekeeper: Process, gate: OrderGate, var: Path) -> None:
    second = start_gatekeeper(var, database_url())
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"process {gatekeeper.pid} already keeps".encode() in said
    assert gate.verdict() is Verdict.OPEN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(gatekeeper: Process, gate: OrderGate, number: int) -> None:
    assert end(gatekeeper, number) == 0
    becomes(gate, Verdict.STALE)


def test_a_stopped_gatekeeper_closes_the_gate_and_a_woken_one_opens_it(gatekeeper: Process, gate: OrderGate) -> None:
    gatekeeper.send_signal(signal.SIGSTOP)
    closed = becomes(gate, Verdict.STALE)
    print(f"gate closed {closed:.0f} ms after the gatekeeper was stopped")
    stays(gate, Verdict.STALE)
    gatekeeper.send_signal(signal.SIGCONT)
    becomes(gate, Verdict.OPEN)


def test_an_engaged_switch_outlives_its_gatekeeper(gatekeeper: Process, var: Path, operator: Principal) -> None:
    kill_switch.engage("drill", operator)
    end(gatekeeper, signal.SIGKILL)
    (var / "gate").unlink()
    with keeping(var):
        assert OrderGate(var / "gate").read()[:2] == (1, True)


def test_a_reader_goes_on_with_the_next_gatekeeper(gatekeeper: Process, gate: OrderGate, var: Path) -> None:
    assert gate.verdict() is Verdict.OPEN
    end(gatekeeper, signal.SIGKILL)
    becomes(gate, Verdict.STALE)
    with keeping(var):
        assert gate.verdict() is Verdict.OPEN


def test_a_file_closes_the_gate_and_is_carried_into_the_row(gatekeeper: Process, gate: OrderGate, var: Path) -> None:
    KillFile().write("by hand", "night watch")
    closed = becomes(gate, Verdict.ENGAGED)
    print(f"gate closed {closed:.1f} ms after the file was written")
    eventually(lambda: not (var / "kill").exists())
    stays(gate, Verdict.ENGAGED, 0.2)
    state = kill_switch.state()
    assert (state.engaged, state.durable, state.reason, state.epoch) == (True, True, "by hand", gate.read().epoch)


def test_no_file_undoes_a_release(gatekeeper: Process, gate: OrderGate, operator: Principal) -> None:
    KillFile().write("by hand", "night watch")
    becomes(gate, Verdict.ENGAGED)
    kill_switch.release("all is well", operator)
    becomes(gate, Verdict.OPEN)
    stays(gate, Verdict.OPEN, 2.0)


def test_with_the_database_cut_off_the_gate_closes_by_itself(var: Path, gate: OrderGate, wire: Proxy) -> None:
    with keeping(var, database_url(wire.port)):
        becomes(gate, Verdict.OPEN)
        wire.cut()
        closed = becomes(gate, Verdict.STALE)
        print(f"gate closed {closed:.0f} ms after the database was cut off")
        stays(gate, Verdict.STALE)
        wire.restore()
        opened = becomes(gate, Verdict.OPEN)
        print(f"gate opened {opened:.0f} ms after the database came back")


def test_with_the_database_silent_the_gate_closes_by_itself(var: Path, gate: OrderGate, wire: Proxy) -> None:
    with keeping(var, database_url(wire.port)):
        becomes(gate, Verdict.OPEN)
        wire.mute()
        becomes(gate, Verdict.STALE)
        stays(gate, Verdict.STALE, 2.0)
        wire.restore()
        becomes(gate, Verdict.OPEN)


def test_a_file_kills_with_the_database_cut_off(var: Path, gate: OrderGate, wire: Proxy) -> None:
    with keeping(var, database_url(wire.port)):
        wire.cut()
        becomes(gate, Verdict.STALE)
        KillFile().write("no database", "night watch")
        closed = becomes(gate, Verdict.ENGAGED)
        print(f"gate engaged {closed:.1f} ms after the file was written, the database being away")
        assert gate.read().age_ms < 150
        stays(gate, Verdict.ENGAGED, 1.0)
        wire.restore()
        eventually(lambda: not (var / "kill").exists(), seconds=20)
        stays(gate, Verdict.ENGAGED, 0.2)
        assert kill_switch.state().reason == "no database"


def test_a_terminated_backend_costs_no_more_than_a_wait(gatekeeper: Process, gate: OrderGate) -> None:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        for _ in range(5):
            connection.execute(TERMINATE)
            assert gate.wait_open_sync() is Verdict.OPEN
    assert gatekeeper.poll() is None
