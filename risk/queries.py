"""What is shown of stopping: the kill switch, its last stop as measured, this host's gate, scoped halts, and what a
release would let trade."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from risk import halting, kill_switch, places, runtimes
from risk.gate import GateReading, OrderGate, Verdict
from risk.halt_models import RiskHalt
from risk.halts import Halts, Scope
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
        return key_of(self.gate, self.measured)

    @property
    def confirmed(self) -> bool:
        return bool((self.measured or {}).get("confirmed"))


def gate_reading() -> GateReading:
    return OrderGate(places.gate()).read()


def key_of(reading: GateReading, measured: dict[str, Any] | None = None) -> str:
    """What a page compares to know whether there is news: epoch, verdict and, of a kill, what is confirmed of it."""
    key = f"{reading.epoch}-{reading.verdict}"
    if reading.verdict is not Verdict.ENGAGED or measured is None:
        return key
    return f"{key}-{crc32(msgspec.json.encode(measured)):08x}"


def kill_view() -> KillView:
    state = kill_switch.state()
    event = KillEvent.objects.filter(action=KillEvent.Action.ENGAGED).first()
    measured = event.measured if event and event.epoch == state.epoch else None
    return KillView(state, gate_reading(), measured)


def document(state: KillState, measured: dict[str, Any] | None) -> dict[str, Any]:
    """The switch as the API and the command line answer it."""
    switch: dict[str, Any] = msgspec.to_builtins(state)
    return {**switch, "measured": measured}


class WouldTrade(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a release concerns. ``held_by`` says what else holds it back; empty where it would trade."""

    runtime: str
    id: str
    name: str
    status: str
    symbols: list[str]
    held_by: str


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What could trade again after a release. Nothing that has ended starts anew by itself."""

    releases: str
    items: list[WouldTrade]

    @property
    def trading(self) -> list[WouldTrade]:
        return [item for item in self.items if not item.held_by]

    @property
    def symbols(self) -> list[str]:
        return sorted({symbol for item in self.trading for symbol in item.symbols})

    def document(self) -> dict[str, Any]:
        items = msgspec.to_builtins(self.items)
        return {"releases": self.releases, "would_trade": len(self.trading), "symbols": self.symbols, "items": items}


def what_if(halt: RiskHalt | None = None) -> WhatIf:
    """What the release of a scoped halt, or of the kill switch where none is given, would let trade."""
    others = halting.as_halts([other for other in halting.standing() if halt is None or other.pk != halt.pk])
    killed = "the kill switch is engaged" if halt is not None and kill_switch.is_engaged() else ""
    concerned = None if halt is None else halting.as_halts([halt])
    items = []
    for runtime in runtimes.registered():
        for alive in runtime.alive():
            symbols = list(alive.symbols)
            if concerned is not None and not concerned.ending(alive.place):
                symbols = [symbol for symbol in symbols if concerned.of_symbol(symbol)]
                if not symbols:
                    continue
            ending = others.ending(alive.place)
            held_by = killed or (ending.sentence if ending else _held_by_symbols(others, symbols))
            items.append(
                WouldTrade(
                    runtime=alive.runtime,
                    id=alive.id,
                    name=alive.name,
                    status=alive.status,
                    symbols=[symbol for symbol in symbols if not others.of_symbol(symbol)],
                    held_by=held_by,
                )
            )
    return WhatIf(releases="the kill switch" if halt is None else f"{halt.scope} {halt.target}", items=items)


def _held_by_symbols(halts: Halts, symbols: list[str]) -> str:
    """Where every symbol is halted, the first of those halts."""
    found = [halts.of_symbol(symbol) for symbol in symbols]
    first = next(iter(found), None)
    return first.sentence if first is not None and all(found) else ""


def halt_row(halt: RiskHalt) -> dict[str, Any]:
    """A scoped halt as the API and the command line answer it."""
    return {
        "id": halt.pk,
        "scope": halt.scope,
        "target": halt.target,
        "reason": halt.reason,
        "by": halt.by,
        "at": halt.at,
        "released_at": halt.released_at,
        "released_by": halt.released_by,
        "release_reason": halt.release_reason,
    }


class HaltsView(msgspec.Struct, frozen=True):
    """The halts that stand, and what there is to halt."""

    halts: list[RiskHalt]
    targets: dict[Scope, list[str]]

    @property
    def key(self) -> str:
        return halts_key(self.halts)


def halts_key(halts: list[RiskHalt]) -> str:
    return "-".join(str(halt.pk) for halt in halts)


def halts_view() -> HaltsView:
    return HaltsView(halting.standing(), halting.targets())
