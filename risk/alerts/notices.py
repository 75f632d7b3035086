"""What is worth a person's attention, and how it becomes a row: counted where it is there already."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from risk.alert_models import Alert, Severity

#: What comes again under the same key within this time of its last coming is the same alert.
WINDOW: Final = timedelta(minutes=10)
_SUBJECT, _MESSAGE, _KEY = 200, 4000, 200

_COUNT: Final = """
    INSERT INTO alerts (kind, severity, subject, message, run_id, account, dedupe_key, gathering, count,
                        first_at, last_at, acknowledged_by)
         VALUES (%s, %s, %s, %s, %s, %s, %s, true, 1, %s, %s, '')
    ON CONFLICT (dedupe_key) WHERE gathering
      DO UPDATE SET count = alerts.count + 1, last_at = greatest(alerts.last_at, EXCLUDED.last_at),
                    severity = EXCLUDED.severity, subject = EXCLUDED.subject, message = EXCLUDED.message
      RETURNING id
"""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be told. ``kind`` is a word that filters: ``halt``, ``kill``, ``venue_outage`` …

    ``subject`` is one line, ``message`` the rest. Notices of the same ``dedupe_key`` are one alert; by default it is
    the kind with the run, the account or the subject, whichever is there first. ``once``: a key that was ever told of
    is not told of again.
    """

    kind: str
    subject: str
    message: str = ""
    severity: Severity = Severity.WARNING
    run_id: UUID | None = None
    account: str = ""
    dedupe_key: str = ""
    once: bool = False

    @property
    def key(self) -> str:
        """The dedupe key as it is stored: one that is too long goes on as its digest."""
        key = _clean(self.dedupe_key or f"{self.kind}:{self.run_id or self.account or self.subject}")
        if len(key) <= _KEY:
            return key
        digest = hashlib.sha256(key.encode()).hexdigest()
        return key[: _KEY - len(digest)] + digest


def record(notice: Notice) -> Alert | None:
    """Write the notice, in the caller's transaction if there is one; None where it was told ``once`` already.

    Raises a database error where it cannot be written.
    """
    now, key = timezone.now(), notice.key
    with transaction.atomic():
        if notice.once and Alert.objects.filter(dedupe_key=key).exists():
            return None
        Alert.objects.filter(dedupe_key=key, gathering=True, last_at__lt=now - WINDOW).update(gathering=False)
        row = (
            _clean(notice.kind)[:40],
            Severity(notice.severity).value,
            " ".join(_clean(notice.subject).split())[:_SUBJECT],
            _clean(notice.message)[:_MESSAGE],
            notice.run_id,
            _clean(notice.account)[:60],
            key,
        )
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [*row, now, now])
            return Alert.objects.get(pk=cursor.fetchone()[0])


def _clean(text: str) -> str:
    """PostgreSQL keeps no NUL, and half a surrogate is no text."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
