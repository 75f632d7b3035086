"""Telling the workers of a sweep. A hint that is lost, or comes twice, does no harm."""

from __future__ import annotations

import logging
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import connection
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from trading.sweeps.models import Sweep

log = logging.getLogger(__name__)

#: A sweep that nobody works on for this long after it was told of is told of again.
RESEND_SECONDS: Final = 10.0
#: A hint that waited longer behind other jobs is dropped: newer ones wait behind it.
STALE_SECONDS: Final = 60.0

_IDLE: Final = """
    SELECT id FROM sweeps
     WHERE status IN ('queued', 'running')
       AND coalesce(sent_at, created_at) < now() - make_interval(secs => %s)
       AND NOT EXISTS (SELECT 1 FROM sweep_trials
                        WHERE sweep_id = sweeps.id AND done_at IS NULL AND lease_expires_at > now())
"""


def call_workers(sweep: Sweep, most: int | None = None) -> None:
    """Ask as many workers as the sweep may have, or ``most``, to come and help."""
    wanted = min(int(sweep.spec.get("workers", 1)), sweep.trial_count)
    Sweep.objects.filter(pk=sweep.pk).update(sent_at=Now())
    try:
        for _ in range(wanted if most is None else min(most, wanted)):
            current_app.send_task(
                "trading.sweeps.tasks.work_on_sweep",
                args=[str(sweep.id)],
                queue="jobs",
                expires=STALE_SECONDS,
                retry=False,
            )
    except (OperationalError, OSError) as error:
        log.warning("sweep %s waits: the broker did not take it: %s", sweep.id, error)


def call_again() -> list[UUID]:
    """Tell the workers of sweeps that nobody works on: all who did were lost, or no hint has reached anybody."""
    with connection.cursor() as cursor:
        cursor.execute(_IDLE, [RESEND_SECONDS])
        idle = [row[0] for row in cursor.fetchall()]
    for sweep in Sweep.objects.filter(id__in=idle):
        call_workers(sweep)
    return idle
