"""Handing a queued run to the workers."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

from trading.models import Mode, Run

log = logging.getLogger(__name__)


def send(run: Run) -> None:
    """Tell the workers of a queued run. When the broker is away, the supervisor sends it again later."""
    task, queue = _route(run)
    try:
        current_app.send_task(task, args=[str(run.id)], task_id=run.task_id, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("run %s waits in the queue: the broker did not take it: %s", run.id, error)


def _route(run: Run) -> tuple[str, str]:
    if run.mode == Mode.BACKTEST:
        return "trading.tasks.run_backtest", "jobs"
    # A session that does not wait for a clock burns CPU: it gets a process, lest it starve the others of the GIL.
    return "trading.tasks.run_session", "live" if run.live_paced else "jobs"
