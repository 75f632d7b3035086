"""`raise_alert`: for whoever must not wait and must not fail because of an alert."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from typing import Final
from uuid import UUID

from django.db import connection

from risk.alert_models import Severity
from risk.alerts.notices import Notice, record

log = logging.getLogger(__name__)

#: So many wait for the database at most; the oldest go first, each has been logged.
KEPT: Final = 1000
RETRY_SECONDS: Final = (0.2, 10.0)
LAST_WORDS_SECONDS: Final = 2.0


def raise_alert(
    kind: str,
    subject: str,
    message: str = "",
    severity: str = Severity.WARNING,
    *,
    run_id: UUID | None = None,
    account: str | None = None,
    dedupe_key: str | None = None,
) -> None:
    """Tell people of something; see `Notice`. Takes microseconds, waits for nothing and never raises.

    A thread of this process writes it; while the database is away it is kept and written later.
    """
    try:
        notice = Notice(
            kind=kind,
            subject=subject,
            message=message,
            severity=Severity(severity),
            run_id=run_id,
            account=account or "",
            dedupe_key=dedupe_key or "",
        )
        _writer.take(notice)
    except Exception:
        log.exception("an alert could not be raised: %s %s", kind, subject)


def written(patience: float) -> bool:
    """Whether all that this process has raised is in the database, given ``patience`` seconds to become so."""
    return _writer.settled(patience)


class _Writer:
    """One daemon thread, begun with the first notice."""

    def __init__(self) -> None:
        self._waiting: deque[Notice] = deque(maxlen=KEPT)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def take(self, notice: Notice) -> None:
        log.warning("alert: %s: %s", notice.kind, notice.subject)
        with self._changed:
            self._waiting.append(notice)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settled(self, patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, patience)

    def _run(self) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                notice = self._waiting[0]
            try:
                record(notice)
                pause = RETRY_SECONDS[0]
            except Exception as error:
                log.warning("an alert is not in the database yet: %s", type(error).__name__)
                connection.close()
                time.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])
                continue
            with self._changed:
                # A full queue may have dropped it meanwhile.
                if self._waiting and self._waiting[0] is notice:
                    self._waiting.popleft()
                self._changed.notify_all()
                if not self._waiting:
                    connection.close()


_writer = _Writer()
atexit.register(_writer.settled, LAST_WORDS_SECONDS)
