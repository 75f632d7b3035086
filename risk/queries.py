"""What is shown of the kill switch: its row, its last stop as measured, and what the gate of this host says."""

from __future__ import annotations

from typing import Any

import msgspec

from risk import kill_switch, places
from risk.gate import GateReading, OrderGate, Verdict
from risk.kill_switch import KillState
from risk.models import KillEvent


class KillView(msgspec.Struct, frozen=True):
    """The switch, ``gate`` (this host's), and ``measured``: the figures of the last engagement, if it was measured."""

    state: KillState
    gate: GateReading
    measured: dict[str, Any] | None

    @property
    def stale(self) -> bool:
        return self.gate.verdict is Verdict.STALE

    @property
    def key(self) -> str:
        return key_of(self.gate)


def gate_reading() -> GateReading:
    return OrderGate(places.gate()).read()


def key_of(reading: GateReading) -> str:
    """What a page compares to know whether there is news: epoch and verdict."""
    return f"{reading.epoch}-{reading.verdict}"


def kill_view() -> KillView:
    state = kill_switch.state()
    event = KillEvent.objects.filter(action=KillEvent.Action.ENGAGED).first()
    measured = event.measured if event and event.epoch == state.epoch else None
    return KillView(state, gate_reading(), measured)


def document(state: KillState, measured: dict[str, Any] | None) -> dict[str, Any]:
    """The switch as the API and the command line answer it."""
    switch: dict[str, Any] = msgspec.to_builtins(state)
    return {**switch, "measured": measured}
