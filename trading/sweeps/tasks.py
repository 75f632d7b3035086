"""What the job queue carries of sweeps."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from celery import shared_task

from trading.lease import keeper
from trading.sweeps.hints import call_again, call_workers
from trading.sweeps.models import Sweep
from trading.sweeps.running import work

#: A worker turns to what else is queued after this long, and comes back by a message of its own.
SLICE_SECONDS: Final = 5.0


@shared_task(name="trading.sweeps.tasks.work_on_sweep")
def work_on_sweep(sweep_id: str) -> None:
    if not keeper().draining and work(UUID(sweep_id), SLICE_SECONDS):
        call_workers(Sweep.objects.get(pk=sweep_id), most=1)


@shared_task(name="trading.sweeps.tasks.watch_sweeps", expires=10)
def watch_sweeps() -> None:
    call_again()
