"""The verbs of stopping, measured."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError

from access import audit
from access.principals import Principal
from risk import kill_switch, places, runtimes
from risk.gate import OrderGate, Verdict
from risk.kill_switch import KillState
from risk.models import KillEvent
from risk.runtimes import HaltRow, Progress, Runtime

log = logging.getLogger(__name__)

WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.004


class KillReport(msgspec.Struct, kw_only=True):
    """A kill, and how far it was seen to come.

    Milliseconds count from the call; None means: not seen within the wait. ``confirmed`` only when the gate is closed
    and no runtime has anything open; otherwise ``unconfirmed`` names what is not known to have stopped.
    """

    state: KillState
    gate_closed_ms: float | None = None
    cancels_sent_ms: float | None = None
    open_orders_zero_ms: float | None = None
    sessions_ended_ms: float | None = None
    confirmed: bool = False
    unconfirmed: list[str] = []

    def measured(self) -> dict[str, Any]:
        """The figures alone, as JSON."""
        figures: dict[str, Any] = msgspec.to_builtins(self)
        del figures["state"]
        return figures


def kill(reason: str, principal: Principal, wait: float | None = None) -> KillReport:
    """Engage the kill switch and watch, for ``wait`` seconds at most (`WAIT_SECONDS`), everything come to rest.

    Raises `risk.kill_switch.ReasonMissing`, and a database error only where nothing at all could be engaged.
    """
    started = time.perf_counter()
    with _GateClosing(started) as closing:
        state = kill_switch.engage(reason, principal)
    report = KillReport(state=state, gate_closed_ms=closing.milliseconds)
    _Stopwatch(report, started).watch(WAIT_SECONDS if wait is None else wait)
    epoch = report.state.epoch
    if report.state.changed and report.state.durable and epoch is not None:
        KillEvent.objects.filter(action=KillEvent.Action.ENGAGED, epoch=epoch).update(measured=report.measured())
    return report


def release(reason: str, principal: Principal) -> KillState:
    """Release the kill switch. Raises `risk.kill_switch.ReasonMissing`."""
    return kill_switch.release(reason, principal)


def halt(reason: str, principal: Principal) -> list[HaltRow]:
    """Ask every registered runtime to halt; one that fails has its row too, and keeps no other from halting."""
    rows = [_halted(runtime, principal, reason) for runtime in runtimes.registered()]
    outcome = [{"runtime": row.runtime, "count": row.count, "confirmed": row.confirmed} for row in rows]
    audit.record(principal, "halt", "runtimes", reason=reason, rows=outcome)
    return rows


def _halted(runtime: Runtime, principal: Principal, reason: str) -> HaltRow:
    started = time.perf_counter()
    try:
        return runtime.halt(principal, reason)
    except Exception as error:
        log.exception("runtime %s could not be halted", runtime.name)
        spent = _since(started)
        detail = f"not halted: {type(error).__name__}"
        return HaltRow(runtime=runtime.name, count=0, milliseconds=spent, confirmed=False, detail=detail)


class _GateClosing:
    """Sees the gate close while the caller is still busy with a database that does not answer."""

    def __init__(self, started: float) -> None:
        self.milliseconds: float | None = None
        self._started = started
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="gate closing", daemon=True)

    def __enter__(self) -> _GateClosing:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        gate = OrderGate(places.gate())
        while gate.verdict() is not Verdict.ENGAGED:
            if self._over.wait(_POLL_SECONDS):
                return
        self.milliseconds = _since(self._started)


class _Stopwatch:
    """Fills in a report's figures as they come true; one that turns false again is no longer true."""

    def __init__(self, report: KillReport, started: float) -> None:
        self._report = report
        self._started = started
        self._gate = OrderGate(places.gate())

    def watch(self, wait: float) -> None:
        while not self._look() and time.perf_counter() < self._started + wait:
            time.sleep(_POLL_SECONDS)

    def _look(self) -> bool:
        """Look at the gate and ask the runtimes once; whether there is nothing left to wait for."""
        report = self._report
        report.unconfirmed = []
        report.gate_closed_ms = self._when(self._gate_is_closed(), report.gate_closed_ms)
        if report.gate_closed_ms is None:
            report.unconfirmed.append("the order gate of this host does not say that it is closed")
        try:
            found = [(runtime.name, runtime.progress(report.state.epoch)) for runtime in runtimes.registered()]
        except (DatabaseError, InterfaceError):
            report.unconfirmed.append("what is still open cannot be asked while the database is away")
            return report.gate_closed_ms is not None
        report.unconfirmed += [_sentence(name, progress) for name, progress in found if not progress.done]
        sent = not any(progress.uncancelled for _, progress in found)
        report.cancels_sent_ms = self._when(sent, report.cancels_sent_ms)
        closed = not any(progress.open_orders for _, progress in found)
        report.open_orders_zero_ms = self._when(closed, report.open_orders_zero_ms)
        ended = not any(progress.open_runs for _, progress in found)
        report.sessions_ended_ms = self._when(ended, report.sessions_ended_ms)
        report.confirmed = not report.unconfirmed
        return report.confirmed

    def _when(self, is_so: bool, since: float | None) -> float | None:
        if not is_so:
            return None
        return _since(self._started) if since is None else since

    def _gate_is_closed(self) -> bool:
        reading = self._gate.read()
        epoch = self._report.state.epoch
        return reading.verdict is Verdict.ENGAGED and (epoch is None or reading.epoch >= epoch)


def _sentence(name: str, progress: Progress) -> str:
    counts = (
        f"{progress.open_runs} runs not ended, {progress.open_orders} orders open, "
        f"{progress.uncancelled} of them without a cancel"
    )
    return f"{name}: {counts}" + (f" ({', '.join(progress.detail)})" if progress.detail else "")


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
