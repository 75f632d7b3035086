"""What the job queue carries. A message is a hint: the claim decides who runs what."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from billiard import active_children
from celery import shared_task
from celery.signals import worker_process_init, worker_ready, worker_shutting_down
from django.conf import settings

from trading import host, ledger, supervisor
from trading.lease import keeper
from trading.releases import OtherVersion

log = logging.getLogger(__name__)

#: Tells a worker's child processes that the worker is to end; Celery tells its main process alone.
END = signal.SIGUSR2


@shared_task(name="trading.tasks.run_session")
def run_session(run_id: str) -> None:
    _run(UUID(run_id), host.run_session)


@shared_task(name="trading.tasks.run_backtest")
def run_backtest(run_id: str) -> None:
    _run(UUID(run_id), host.run_backtest, hand_back=True)


def _run(run_id: UUID, work: Callable[..., object], **options: Any) -> None:
    """What this worker may not take is left to the next; the message is spent, so another has to be sent."""
    if keeper().draining:
        supervisor.call_again(run_id)
        return
    try:
        work(run_id, **options)
    except OtherVersion as error:
        supervisor.call_again(run_id, f"waits for a worker: {error}")


@shared_task(name="trading.tasks.supervise", expires=10)
def supervise() -> None:
    supervisor.redispatch_unclaimed()


@shared_task(name="trading.tasks.anchor_heads", expires=10)
def anchor_heads() -> None:
    ledger.anchor_heads()


@worker_ready.connect
def call_what_waits(**_: object) -> None:
    """Messages that the workers before have dropped are sent anew, at once."""
    supervisor.call_again()
    supervisor.redispatch_unclaimed()


@worker_process_init.connect
def end_when_told(**_: object) -> None:
    signal.signal(END, lambda number, frame: _end())


@worker_shutting_down.connect
def end_what_runs(**_: object) -> None:
    """A worker that is told to end does not wait for its runs, and takes no more."""
    _end()
    for child in active_children():
        os.kill(child.pid, END)


def _end() -> None:
    """With the whole stack the runs end too, in good order; a worker that ends alone leaves them to the others."""
    if settings.STACK.stopping.exists():
        host.stop_all()
    else:
        # A signal handler may wait for nothing.
        threading.Thread(target=host.leave, name="hand-over").start()
