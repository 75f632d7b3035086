"""The verbs of stopping, measured."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk import halting, kill_switch, places, runtimes
from risk.gate import OrderGate, Verdict
from risk.halting import Halting
from risk.halts import Halt, Scope
from risk.kill_switch import KillState
from risk.models import KillEvent
from risk.runtimes import HaltRow, Progress, Runtime

log = logging.getLogger(__name__)

#: Milliseconds since the call.
Since = Callable[[], float]

WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.004
#: The pause between two looks, as a multiple of what a look takes.
_SHARE = 3.0


class KillReport(msgspec.Struct, kw_only=True):
    """A kill, and how far it was seen to come.

    Milliseconds count from ``pressed_at``; None means: not confirmed. ``flat_ms`` is None too where flat was not asked
    for, see ``flatten``. ``confirmed`` only when the gate is closed and no runtime has anything open; otherwise
    ``unconfirmed`` names what is not known to have stopped.
    """

    state: KillState
    pressed_at: datetime
    flatten: bool = False
    gate_closed_ms: float | None = None
    cancels_sent_ms: float | None = None
    open_orders_zero_ms: float | None = None
    flat_ms: float | None = None
    sessions_ended_ms: float | None = None
    confirmed: bool = False
    unconfirmed: list[str] = []

    def measured(self) -> dict[str, Any]:
        """The figures alone, as JSON."""
        figures: dict[str, Any] = msgspec.to_builtins(self)
        del figures["state"]
        return figures


class HaltReport(msgspec.Struct, kw_only=True):
    """A scoped halt, when the gate of this host was seen to know of it (ms from the call), and a row per runtime."""

    halting: Halting
    gate_closed_ms: float | None
    rows: list[HaltRow]


def kill(reason: str, principal: Principal, wait: float | None = None, *, flatten: bool = False) -> KillReport:
    """Engage the kill switch and watch, for ``wait`` seconds at most (`WAIT_SECONDS`), everything come to rest.

    With ``flatten`` the sessions also close what they hold, after their cancels; that may take longer than the wait,
    and `follow_up` goes on measuring. Raises `risk.kill_switch.ReasonMissing`, and a database error only where nothing
    at all could be engaged.
    """
    pressed_at, since = timezone.now(), _since(time.perf_counter())
    with _GateClosing(since) as closing:
        state = kill_switch.engage(reason, principal, flatten)
    report = KillReport(state=state, pressed_at=pressed_at, flatten=state.flatten, gate_closed_ms=closing.milliseconds)
    _Stopwatch(report, since).watch(WAIT_SECONDS if wait is None else wait)
    if state.changed and state.durable and state.epoch is not None:
        _engagement(state.epoch).update(measured=report.measured())
    return report


def follow_up() -> KillReport | None:
    """Measure again a kill that stands and is not confirmed; None where there is none.

    Asked by whoever looks on (a page that is open, the guard), so that what takes longer than the call still comes to
    be confirmed, at the time at which it was seen.
    """
    state = kill_switch.state()
    if not state.engaged or not state.durable or state.epoch is None:
        return None
    with transaction.atomic():
        event = _engagement(state.epoch).select_for_update(skip_locked=True).first()
        if event is None or (event.measured or {}).get("confirmed"):
            return None
        figures = {"pressed_at": event.at, **(event.measured or {}), "flatten": state.flatten}
        report = msgspec.convert({"state": msgspec.to_builtins(state), **figures}, KillReport)
        _Stopwatch(report, lambda: round((timezone.now() - report.pressed_at).total_seconds() * 1000, 1)).look()
        event.measured = report.measured()
        event.save(update_fields=["measured"])
    return report


def _engagement(epoch: int) -> QuerySet[KillEvent]:
    return KillEvent.objects.filter(action=KillEvent.Action.ENGAGED, epoch=epoch)


def release(reason: str, principal: Principal) -> KillState:
    """Release the kill switch. Raises `risk.kill_switch.ReasonMissing`."""
    return kill_switch.release(reason, principal)


def halt(reason: str, principal: Principal) -> list[HaltRow]:
    """Ask every registered runtime to halt; one that fails has its row too, and keeps no other from halting."""
    rows = [_halted(runtime, principal, reason) for runtime in runtimes.registered()]
    outcome = [{"runtime": row.runtime, "count": row.count, "confirmed": row.confirmed} for row in rows]
    audit.record(principal, "halt", "runtimes", reason=reason, rows=outcome)
    return rows


def halt_one(runtime: Runtime, reason: str, principal: Principal) -> HaltRow:
    """Ask one runtime to halt, as `halt` does with all."""
    row = _halted(runtime, principal, reason)
    audit.record(principal, "halt", f"runtime:{runtime.name}", reason=reason, count=row.count, confirmed=row.confirmed)
    return row


def halt_scope(scope: Scope, target: str, reason: str, principal: Principal, wait: float | None = None) -> HaltReport:
    """Halt an account, a bot, a run or a symbol, and watch what it concerns come to rest, for `WAIT_SECONDS` at most.

    The halt stands until it is released. Raises as `risk.halting.halt` does.
    """
    since = _since(time.perf_counter())
    named = halting.known_as(scope, target)
    concerned = Halt(scope, named, reason)
    before = [(runtime, runtime.reached(concerned)) for runtime in runtimes.registered()]
    done = halting.halt(scope, named, reason, principal)
    gate, gate_closed = OrderGate(places.gate()), None
    rows: dict[str, HaltRow] = {}
    give_up = WAIT_SECONDS if wait is None else wait
    while True:
        if gate_closed is None and gate.read().halts_epoch >= done.epoch and gate.verdict() is not Verdict.STALE:
            gate_closed = since()
        for runtime, was in before:
            if runtime.name not in rows or not rows[runtime.name].confirmed:
                rows[runtime.name] = _row_of(runtime, was, runtime.reached(concerned), since())
        if (gate_closed is not None and all(row.confirmed for row in rows.values())) or since() > give_up * 1000:
            return HaltReport(halting=done, gate_closed_ms=gate_closed, rows=list(rows.values()))
        time.sleep(_POLL_SECONDS)


def release_halt(halt_id: int, reason: str, principal: Principal) -> Halting:
    """Release a scoped halt. Raises as `risk.halting.release` does."""
    return halting.release(halt_id, reason, principal)


def _row_of(runtime: Runtime, before: Progress, now: Progress, milliseconds: float) -> HaltRow:
    return HaltRow(
        runtime=runtime.name,
        count=before.open_runs or before.open_orders,
        milliseconds=milliseconds,
        confirmed=now.done,
        detail="" if now.done else _sentence(runtime.name, now),
    )


def _halted(runtime: Runtime, principal: Principal, reason: str) -> HaltRow:
    since = _since(time.perf_counter())
    try:
        return runtime.halt(principal, reason)
    except Exception as error:
        log.exception("runtime %s could not be halted", runtime.name)
        detail = f"not halted: {type(error).__name__}"
        return HaltRow(runtime=runtime.name, count=0, milliseconds=since(), confirmed=False, detail=detail)


class _GateClosing:
    """Sees the gate close while the caller is still busy with a database that does not answer."""

    def __init__(self, since: Since) -> None:
        self.milliseconds: float | None = None
        self._since = since
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
        self.milliseconds = self._since()


class _Stopwatch:
    """Fills in a report's figures as they come true; one that turns false again is no longer true."""

    def __init__(self, report: KillReport, since: Since) -> None:
        self._report = report
        self._since = since
        self._gate = OrderGate(places.gate())

    def watch(self, wait: float) -> None:
        asked = self._since()
        while not self.look() and self._since() < wait * 1000:
            # To ask takes time from those who are asked about.
            time.sleep(max(_POLL_SECONDS, _SHARE * (self._since() - asked) / 1000))
            asked = self._since()

    def look(self) -> bool:
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
        if report.flatten:
            flat = not any(progress.held for _, progress in found)
            report.flat_ms = self._when(flat, report.flat_ms)
        ended = not any(progress.open_runs for _, progress in found)
        report.sessions_ended_ms = self._when(ended, report.sessions_ended_ms)
        report.confirmed = not report.unconfirmed
        return report.confirmed

    def _when(self, is_so: bool, since: float | None) -> float | None:
        if not is_so:
            return None
        return self._since() if since is None else since

    def _gate_is_closed(self) -> bool:
        reading = self._gate.read()
        epoch = self._report.state.epoch
        return reading.verdict is Verdict.ENGAGED and (epoch is None or reading.epoch >= epoch)


def _sentence(name: str, progress: Progress) -> str:
    counts = (
        f"{progress.open_runs} runs not ended, {progress.open_orders} orders open, "
        f"{progress.uncancelled} of them without a cancel"
    ) + (f", {progress.held} positions held" if progress.held else "")
    return f"{name}: {counts}" + (f" ({', '.join(progress.detail)})" if progress.detail else "")


def _since(started: float) -> Since:
    """Milliseconds from a moment of `time.perf_counter`."""
    return lambda: round((time.perf_counter() - started) * 1000, 1)
