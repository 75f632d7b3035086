"""The kill switch: durable, one for the whole stack, with an epoch that only grows.

The row in the database is the switch. The kill file of a host stands in for it until the row says the same: engaging
writes the file first, which closes this host's gate within milliseconds and needs nothing but a disk; then the row;
and only when that is committed the file goes. Under the row's lock, file and row cannot tell different stories.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk.kill_file import KillFile, KillOrder
from risk.models import KillEvent, KillSwitch

log = logging.getLogger(__name__)

CHANNEL = "alphaswarm_kill"
TARGET = "kill_switch"


class ReasonMissing(ValueError):
    """Engaging and releasing need a reason that says something."""

    def __init__(self) -> None:
        super().__init__("say why: the reason is kept with the switch and its history")


class KillState(msgspec.Struct, frozen=True, kw_only=True):
    """The switch as it is now.

    ``flatten``: what is held was to be closed too. ``epoch`` is None where the database could not be asked;
    ``durable`` is False while only this host's kill file says it; ``changed`` tells whether the call that answered this
    made it so.
    """

    engaged: bool
    epoch: int | None
    flatten: bool = False
    reason: str = ""
    engaged_at: datetime | None = None
    engaged_by: str = ""
    released_at: datetime | None = None
    released_by: str = ""
    release_reason: str = ""
    durable: bool = True
    changed: bool = False


def is_engaged() -> bool:
    """Whether new orders are stopped. Raises a database error where that cannot be known: start nothing then."""
    return KillFile().mark() is not None or _row().engaged


def state() -> KillState:
    """The switch with its reason; a kill file that the row does not yet know of counts."""
    row = _row()
    order = KillFile().read()
    if order is not None and not row.engaged:
        return _state_of_file(order, row.epoch + 1)
    return _state_of(row)


def engage(reason: str, principal: Principal, flatten: bool = False) -> KillState:
    """Stop everything, and with ``flatten`` have what is held closed too.

    Engaging an engaged switch changes nothing, but for adding ``flatten``.

    With the database away it still holds on this host, by the kill file, and the answer is not ``durable``. Raises
    `ReasonMissing`; raises the database's error only where the file could not be written either.
    """
    reason = said(reason)
    order = _write_file(reason, principal, flatten)
    try:
        return _engage(reason, principal, order, flatten)
    except (DatabaseError, InterfaceError) as error:
        if order is None:
            raise
        log.error("kill switch engaged on this host alone, the database is away: %s", " ".join(str(error).split()))
        return _state_of_file(order, None)


def absorb() -> KillState | None:
    """Engage the row on behalf of this host's kill file; None where there is none (any more)."""
    order = KillFile().read()
    if order is None:
        return None
    principal = Principal(order.by, "cli", frozenset({"halt"}), id=f"kill file:{order.by}")
    return _engage(order.reason, principal, order, order.flatten, only_if_there=True)


def release(reason: str, principal: Principal) -> KillState:
    """Let orders leave again. Releasing a released switch changes nothing. Raises `ReasonMissing`."""
    reason = said(reason)
    # Once the row has taken over what a file says, the file is gone and cannot engage anything again afterwards.
    absorb()
    with transaction.atomic(durable=True):
        row = locked()
        changed = row.engaged
        if changed:
            row.engaged, row.release_reason, row.released_by = False, reason, principal.name
            row.released_at = timezone.now()
            row.save()
            _remember(row, KillEvent.Action.RELEASED, reason, principal, row.released_at)
        audit.record(principal, "kill.release", TARGET, reason=reason, epoch=row.epoch, changed=changed)
    return _state_of(row, changed=changed)


def _engage(
    reason: str, principal: Principal, order: KillOrder | None, flatten: bool, only_if_there: bool = False
) -> KillState:
    file = KillFile()
    with transaction.atomic(durable=True):
        row = locked()
        if only_if_there and order is not None and file.mark() != order.mark:
            return _state_of(row)
        changed, more = not row.engaged, row.engaged and flatten and not row.flatten
        if more:
            row.flatten = True
            row.save(update_fields=["flatten"])
            tell_gatekeepers(row)
        if changed:
            row.engaged, row.flatten, row.reason, row.engaged_by = True, flatten, reason, principal.name
            row.epoch += 1
            row.engaged_at = timezone.now()
            row.save()
            _remember(row, KillEvent.Action.ENGAGED, reason, principal, row.engaged_at)
        details = {"epoch": row.epoch, "changed": changed or more, "flatten": flatten}
        audit.record(principal, "kill.engage", TARGET, reason=reason, **details)
    if order is not None:
        file.remove(order.mark)
    return _state_of(row, changed=changed or more)


def _write_file(reason: str, principal: Principal, flatten: bool) -> KillOrder | None:
    try:
        return KillOrder(KillFile().write(reason, principal.name, flatten), reason, principal.name, flatten)
    except OSError as error:
        log.error("the kill file cannot be written, the database alone is told: %s", error)
        return None


def said(reason: str) -> str:
    """The reason, bare; raises `ReasonMissing` for one that says nothing."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    return reason


def _row() -> KillSwitch:
    return KillSwitch.objects.get(pk=1)


def locked() -> KillSwitch:
    """The row, locked until the transaction ends: all that the gate tells is changed under this lock."""
    return KillSwitch.objects.select_for_update().get(pk=1)


def _remember(row: KillSwitch, action: KillEvent.Action, reason: str, principal: Principal, at: datetime) -> None:
    KillEvent.objects.create(action=action, epoch=row.epoch, reason=reason, actor=principal.name, at=at)
    tell_gatekeepers(row)


def tell_gatekeepers(row: KillSwitch) -> None:
    """Let every host's gatekeeper read the row as soon as this transaction is committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(row.epoch)])


def _state_of(row: KillSwitch, **extras: Any) -> KillState:
    return KillState(
        engaged=row.engaged,
        epoch=row.epoch,
        flatten=row.flatten,
        reason=row.reason,
        engaged_at=row.engaged_at,
        engaged_by=row.engaged_by,
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
        **extras,
    )


def _state_of_file(order: KillOrder, epoch: int | None) -> KillState:
    return KillState(
        engaged=True,
        epoch=epoch,
        flatten=order.flatten,
        reason=order.reason,
        engaged_by=order.by,
        durable=False,
        changed=True,
    )
