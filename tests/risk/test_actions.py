"""A kill as it is measured, and halting without one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from access.models import AuditEntry
from access.principals import Principal
from risk import actions, runtimes
from risk.gate import OrderGate
from risk.models import KillEvent
from risk.runtimes import HaltRow, Progress, Runtime

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_other_runtimes")]


class Winding:
    """A runtime that has come a step further each time it is asked."""

    name = "winding"

    def __init__(self, *steps: tuple[int, int, int]) -> None:
        self._steps = list(steps)

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        return HaltRow(runtime=self.name, count=len(self._steps), milliseconds=1.0, confirmed=True)

    def progress(self, epoch: int | None) -> Progress:
        runs, orders, uncancelled = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return Progress(open_runs=runs, open_orders=orders, uncancelled=uncancelled, detail=("order 7",))


class Broken(Winding):
    name = "broken"

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        raise RuntimeError("no answer")

    def progress(self, epoch: int | None) -> Progress:
        raise OperationalError("the database is away")


@pytest.fixture
def no_other_runtimes() -> Iterator[None]:
    others: list[Runtime] = runtimes.registered()
    for runtime in others:
        runtimes.unregister(runtime.name)
    yield
    for runtime in runtimes.registered():
        runtimes.unregister(runtime.name)
    for runtime in others:
        runtimes.register(runtime)


def test_a_kill_of_nothing_is_confirmed_as_soon_as_the_gate_is_closed(
    gatekeeper: subprocess.Popen[bytes], gate: OrderGate, operator: Principal
) -> None:
    report = actions.kill("drill", operator)
    assert report.confirmed
    assert report.gate_closed_ms is not None
    print(f"kill: gate closed after {report.gate_closed_ms} ms")
    assert gate.read().engaged


def test_a_kill_is_watched_until_nothing_is_open(
    gatekeeper: subprocess.Popen[bytes], var: object, operator: Principal
) -> None:
    runtimes.register(Winding((2, 3, 3), (2, 3, 0), (2, 0, 0), (0, 0, 0)))
    report = actions.kill("drill", operator)
    assert report.confirmed
    assert report.cancels_sent_ms is not None
    assert report.open_orders_zero_ms is not None
    assert report.sessions_ended_ms is not None
    assert report.cancels_sent_ms < report.open_orders_zero_ms < report.sessions_ended_ms


def test_what_does_not_end_is_named_and_not_called_done(
    gatekeeper: subprocess.Popen[bytes], var: object, operator: Principal
) -> None:
    runtimes.register(Winding((1, 2, 0)))
    report = actions.kill("drill", operator, wait=0.1)
    assert not report.confirmed
    assert report.gate_closed_ms is not None
    assert (report.open_orders_zero_ms, report.sessions_ended_ms) == (None, None)
    assert report.unconfirmed == ["winding: 1 runs not ended, 2 orders open, 0 of them without a cancel (order 7)"]


def test_a_gate_that_nobody_keeps_is_not_confirmed(var: object, operator: Principal) -> None:
    report = actions.kill("drill", operator, wait=0.05)
    assert report.state.engaged
    assert not report.confirmed
    assert report.gate_closed_ms is None


def test_the_figures_are_kept_with_the_kill(var: object, operator: Principal) -> None:
    report = actions.kill("drill", operator, wait=0.02)
    kept = KillEvent.objects.get(epoch=report.state.epoch, action="engaged")
    assert kept.measured == report.measured()


def test_the_figures_of_a_kill_are_not_replaced_by_a_later_call(var: object, operator: Principal) -> None:
    first = actions.kill("drill", operator, wait=0.02)
    actions.kill("again", operator, wait=0.02)
    assert KillEvent.objects.get().measured == first.measured()


def test_a_runtime_that_cannot_be_asked_is_not_confirmed(var: object, operator: Principal) -> None:
    runtimes.register(Broken((0, 0, 0)))
    report = actions.kill("drill", operator, wait=0.02)
    assert not report.confirmed
    assert report.cancels_sent_ms is None


def test_a_runtime_that_fails_keeps_no_other_from_halting(var: object, operator: Principal) -> None:
    runtimes.register(Broken((0, 0, 0)))
    runtimes.register(Winding((0, 0, 0), (0, 0, 0)))
    broken, winding = actions.halt("end of day", operator)
    assert (broken.confirmed, broken.detail) == (False, "not halted: RuntimeError")
    assert (winding.runtime, winding.count, winding.confirmed) == ("winding", 2, True)
    assert AuditEntry.objects.get().verb == "halt"
