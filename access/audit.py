"""The log of who did what. Written in the transaction of the verb itself; nobody can change it afterwards."""

from typing import Any

from access.models import AuditEntry
from access.principals import Principal


def record(principal: Principal, verb: str, target: str, **detail: Any) -> AuditEntry:
    """Note that `principal` did `verb` to `target` (`kind:id`); `detail` is JSON, without secrets."""
    return AuditEntry.objects.create(
        actor=str(principal), verb=verb, target=target, address=principal.address, detail=detail
    )
