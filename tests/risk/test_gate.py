"""The gate file: what a reader makes of it."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from risk import watch
from risk.gate import GateReading, OrderGate, Verdict
from risk.gate_file import RECORD_SIZE, GateFile
from risk.watch import GateWatcher
from tests.risk.waiting import eventually


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def now() -> int:
    return time.monotonic_ns()


def test_a_fresh_and_released_gate_is_open(path: Path) -> None:
    GateFile(path).write(7, False, now())
    reading = OrderGate(path).read()
    assert reading.verdict is Verdict.OPEN
    assert reading.epoch == 7
    assert reading.age_ms < 100


def test_a_fresh_and_engaged_gate_is_engaged(path: Path) -> None:
    GateFile(path).write(8, True, now())
    assert OrderGate(path).verdict() is Verdict.ENGAGED


@pytest.mark.parametrize("engaged", [False, True])
def test_an_old_reading_is_stale(path: Path, engaged: bool) -> None:
    GateFile(path).write(7, engaged, now() - 151_000_000)
    assert OrderGate(path).verdict() is Verdict.STALE


def test_a_reading_from_the_future_is_stale(path: Path) -> None:
    GateFile(path).write(7, False, now() + 10**10)
    assert OrderGate(path).verdict() is Verdict.STALE


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * RECORD_SIZE, bytes(RECORD_SIZE), b"x" * 1000])
def test_whatever_is_no_record_is_stale(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert OrderGate(path).verdict() is Verdict.STALE


def test_a_flipped_bit_makes_a_record_unreadable(path: Path) -> None:
    GateFile(path).write(7, False, now())
    for position in range(RECORD_SIZE):
        record = bytearray(path.read_bytes())
        record[position] ^= 1
        (path.parent / "flipped").write_bytes(record)
        assert OrderGate(path.parent / "flipped").verdict() is Verdict.STALE


def test_a_missing_file_is_stale_until_it_comes(path: Path) -> None:
    gate = OrderGate(path)
    assert gate.verdict() is Verdict.STALE
    GateFile(path).write(1, False, now())
    assert gate.verdict() is Verdict.OPEN


def test_a_reader_follows_a_file_that_is_replaced(path: Path) -> None:
    GateFile(path).write(1, False, now())
    gate = OrderGate(path)
    gate.read()
    path.unlink()
    GateFile(path).write(2, True, now())
    eventually(lambda: gate.read().epoch == 2)


def test_a_new_gatekeeper_keeps_the_epoch_and_the_file(path: Path) -> None:
    GateFile(path).write(41, True, now())
    inode = path.stat().st_ino
    assert GateFile(path).epochs() == (41, 0)
    assert path.stat().st_ino == inode


async def test_waiting_ends_at_once_when_open_or_engaged(path: Path) -> None:
    file, gate = GateFile(path), OrderGate(path)
    file.write(1, False, now())
    assert await gate.wait_open() is Verdict.OPEN
    file.write(2, True, now())
    assert await gate.wait_open() is Verdict.ENGAGED
    assert gate.wait_open_sync() is Verdict.ENGAGED


async def test_a_stale_gate_is_waited_for(path: Path) -> None:
    file, gate = GateFile(path), OrderGate(path)
    waiting = asyncio.create_task(gate.wait_open(timeout=10))
    await asyncio.sleep(0)
    file.write(1, False, now())
    assert await waiting is Verdict.OPEN


def test_a_gate_that_stays_stale_denies_after_the_wait(path: Path) -> None:
    assert OrderGate(path).wait_open_sync(timeout=0.02) is Verdict.STALE


def _scribble(path: Path) -> None:
    file = GateFile(path)
    for epoch in range(1, 300_000):
        file.write(epoch, epoch % 2 == 1, now())


def test_no_reader_ever_sees_half_a_record(path: Path) -> None:
    GateFile(path).write(0, False, now())
    writer = multiprocessing.get_context("spawn").Process(target=_scribble, args=(path,))
    writer.start()
    gate, seen = OrderGate(path), set()
    gate.read()
    while writer.is_alive():
        reading = gate._read()
        assert reading.engaged == (reading.epoch % 2 == 1) or reading.age_ms == float("inf")
        seen.add(reading.epoch)
    writer.join()
    assert len(seen) > 1


def test_a_reading_costs_microseconds(path: Path) -> None:
    GateFile(path).write(7, True, now())
    gate = OrderGate(path)
    gate.read()
    started = time.perf_counter()
    for _ in range(10_000):
        gate.read()
    microseconds = (time.perf_counter() - started) * 100
    print(f"reading the gate: {microseconds:.2f} us")
    assert microseconds < 50


def tell(file: GateFile, epoch: int, engaged: bool, heard: Callable[[], bool]) -> None:
    """Say it again and again, as a gatekeeper does, until it is heard."""

    def say_and_look() -> bool:
        file.write(epoch, engaged, now())
        return heard()

    eventually(say_and_look)


def test_the_watcher_tells_of_each_change_once(path: Path) -> None:
    watcher, told = GateWatcher(path), []
    watcher.subscribe(lambda epoch, engaged: told.append((epoch, engaged)))
    file = GateFile(path)
    for epoch, engaged in [(1, False), (2, True), (2, False)]:
        tell(file, epoch, engaged, lambda last=(epoch, engaged): told[-1:] == [last])
    watcher.close()
    assert told == [(1, False), (2, True), (2, False)]


def test_no_garbage_is_collected_while_a_kill_is_heard(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "HURRY_SECONDS", 0.05)
    watcher, collecting = GateWatcher(path), []
    watcher.subscribe(lambda epoch, engaged: collecting.append(gc.isenabled()))
    file = GateFile(path)
    for epoch, engaged in [(1, False), (2, True)]:
        tell(file, epoch, engaged, lambda count=epoch: len(collecting) == count)
    assert collecting == [True, False]
    eventually(gc.isenabled)
    watcher.close()


def test_who_subscribes_late_is_told_what_is_so(path: Path) -> None:
    watcher, early, late = GateWatcher(path), [], []
    watcher.subscribe(lambda epoch, engaged: early.append((epoch, engaged)))
    file = GateFile(path)
    tell(file, 3, True, lambda: early == [(3, True)])
    watcher.subscribe(lambda epoch, engaged: late.append((epoch, engaged)))
    tell(file, 3, True, lambda: late == [(3, True)])
    watcher.close()
    assert early == [(3, True)]


def test_one_subscriber_that_fails_does_not_keep_the_news_from_others(path: Path) -> None:
    watcher, told = GateWatcher(path), threading.Event()
    watcher.subscribe(lambda epoch, engaged: 1 / 0)
    watcher.subscribe(lambda epoch, engaged: told.set())
    tell(GateFile(path), 1, True, told.is_set)
    watcher.close()


def test_who_has_left_is_not_told(path: Path) -> None:
    watcher, told, others = GateWatcher(path), [], []
    leave = watcher.subscribe(lambda epoch, engaged: told.append(epoch))
    watcher.subscribe(lambda epoch, engaged: others.append(epoch))
    leave()
    tell(GateFile(path), 1, True, lambda: others == [1])
    watcher.close()
    assert told == []


def test_the_watcher_tells_nothing_that_is_old(path: Path) -> None:
    watcher, told = GateWatcher(path), []
    watcher.subscribe(lambda epoch, engaged: told.append((epoch, engaged)))
    file = GateFile(path)
    file.write(1, True, now() - 10**9)
    tell(file, 2, False, lambda: told == [(2, False)])
    watcher.close()


def test_an_unreadable_reading_is_not_open() -> None:
    assert GateReading(0, False, float("inf")).verdict is Verdict.STALE
