"""The verbs of scoped halts: an account, a bot, a run or a symbol, where the kill switch would be too much.

A halt is a row; the gatekeeper carries it to every sender of orders as it does the kill switch, see `risk.halts`. All
changes are made under the switch's lock, which counts them in its ``halts_epoch``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk import kill_switch, runtimes
from risk.halt_models import RiskHalt
from risk.halts import Halt, Halts, Scope
from risk.models import KillSwitch
from trading.engine.symbols import Symbol


class UnknownTarget(ValueError):
    """Nothing of this name is known that could be halted."""


class NoSuchHalt(LookupError):
    """No halt has this number."""


class Halting(msgspec.Struct, frozen=True):
    """A halt as it is now, the halts' epoch, and whether the call that answered this ``changed`` it."""

    halt: RiskHalt
    epoch: int
    changed: bool


def halt(scope: Scope, target: str, reason: str, principal: Principal) -> Halting:
    """Halt it; what is halted already stays so, with its first reason.

    Raises `risk.kill_switch.ReasonMissing`, and `UnknownTarget` or `trading.engine.errors.InvalidValue` for the target.
    """
    reason, target = kill_switch.said(reason), known_as(scope, target)
    with transaction.atomic(durable=True):
        row = kill_switch.locked()
        found = RiskHalt.objects.filter(scope=scope, target=target, released_at=None).first()
        halted = found or RiskHalt.objects.create(
            scope=scope, target=target, reason=reason, by=principal.name, at=timezone.now()
        )
        if found is None:
            _count(row)
        _note(principal, "halt.engage", halted, reason, found is None)
    return Halting(halted, row.halts_epoch, found is None)


def release(halt_id: int, reason: str, principal: Principal) -> Halting:
    """Let trade again what this halt alone holds back; nothing restarts by itself. A released halt stays as it is.

    Raises `risk.kill_switch.ReasonMissing` and `NoSuchHalt`.
    """
    reason = kill_switch.said(reason)
    with transaction.atomic(durable=True):
        row = kill_switch.locked()
        halted = find(halt_id)
        changed = halted.released_at is None
        if changed:
            halted.released_at, halted.released_by, halted.release_reason = timezone.now(), principal.name, reason
            halted.save()
            _count(row)
        _note(principal, "halt.release", halted, reason, changed)
    return Halting(halted, row.halts_epoch, changed)


def standing() -> list[RiskHalt]:
    """The halts that stand, newest first."""
    return list(RiskHalt.objects.filter(released_at=None))


def as_halts(rows: list[RiskHalt]) -> Halts:
    """Rows as senders of orders see them."""
    return Halts(halts=tuple(Halt(Scope(row.scope), row.target, row.reason) for row in rows))


def find(halt_id: int) -> RiskHalt:
    """Raises `NoSuchHalt`."""
    found = RiskHalt.objects.filter(pk=halt_id).first()
    if found is None:
        raise NoSuchHalt(f"there is no halt {halt_id}")
    return found


def known_as(scope: Scope, target: str) -> str:
    """The name by which a target is known. A symbol need not be traded yet."""
    target = target.strip()
    if scope is Scope.SYMBOL:
        return str(Symbol.parse(target.upper()))
    for runtime in runtimes.registered():
        name = runtime.known_as(scope, target)
        if name is not None:
            return name
    there = ", ".join(sorted(targets()[scope])[:20])
    raise UnknownTarget(f"there is no {scope} {target!r}" + (f"; there are {there}" if there else ""))


def targets() -> dict[Scope, list[str]]:
    """What there is to halt, by scope."""
    found: dict[Scope, list[str]] = {scope: [] for scope in Scope}
    for runtime in runtimes.registered():
        for scope, names in runtime.targets().items():
            found[scope] += names
    return found


def _count(row: KillSwitch) -> None:
    row.halts_epoch += 1
    row.save(update_fields=["halts_epoch"])
    kill_switch.tell_gatekeepers(row)


def _note(principal: Principal, verb: str, halted: RiskHalt, reason: str, changed: bool) -> None:
    details: dict[str, Any] = {"scope": halted.scope, "of": halted.target, "reason": reason, "changed": changed}
    audit.record(principal, verb, f"halt:{halted.pk}", **details)
