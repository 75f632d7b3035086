"""What the stack itself has to tell: parts that are missing, and whether all is well."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from django.db import connection

from alphaswarm_site import health
from risk.alert_models import Severity
from risk.alerts import Notice, following, heartbeat
from risk.alerts.following import Lasting, Look

#: Longer than a start or a stop of the stack takes.
MISSING_SECONDS: Final = 45.0

_SUBJECTS: Final = {
    "workers": "A worker is missing",
    "versions": "The stack's processes are of different versions",
}


def register() -> None:
    """Have `risk.alerts.follow` and `risk.alerts.beat` ask here."""
    lasting = Lasting()
    following.register(Look("parts of the stack", lambda: missing_parts(lasting, time.monotonic())))
    heartbeat.register(what_is_missing)


def what_is_missing() -> str:
    """The parts that are not there, in a sentence; empty while all are."""
    missing = {name: part["detail"] for name, part in health.parts().items() if not part["ok"]}
    if "database" in missing:
        # A connection that broke says nothing about the database of the next time.
        connection.close()
    return "; ".join(f"{name}: {detail}" for name, detail in missing.items())


def missing_parts(lasting: Lasting, now: float) -> Iterable[Notice]:
    """A notice for each part that was missing for `MISSING_SECONDS`; ``now`` is monotonic."""
    missing = {name: part["detail"] for name, part in health.parts().items() if not part["ok"]}
    for name in lasting.longer_than(MISSING_SECONDS, missing, now):
        yield Notice(
            kind="lost_worker" if name == "workers" else "missing_part",
            subject=_SUBJECTS.get(name, f"The stack has no {name} for {MISSING_SECONDS:g} s"),
            message=missing[name],
            severity=Severity.CRITICAL,
            dedupe_key=f"missing:{name}",
        )
