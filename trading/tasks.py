"""What the job queue carries. A message is a hint: the claim decides who runs what."""

from __future__ import annotations

import os
import signal
from uuid import UUID

from billiard import active_children
from celery import shared_task
from celery.signals import worker_process_init, worker_shutting_down

from trading import host, ledger, supervisor
from trading.lease import keeper

#: Tells a worker's child processes that the worker is to end; Celery tells its main process alone.
DRAIN = signal.SIGUSR2


@shared_task(name="trading.tasks.run_session")
def run_session(run_id: str) -> None:
    if not keeper().draining:
        host.run_session(UUID(run_id))


@shared_task(name="trading.tasks.run_backtest")
def run_backtest(run_id: str) -> None:
    if not keeper().draining:
        host.run_backtest(UUID(run_id), hand_back=True)


@shared_task(name="trading.tasks.supervise", expires=10)
def supervise() -> None:
    supervisor.redispatch_unclaimed()


@shared_task(name="trading.tasks.anchor_heads", expires=10)
def anchor_heads() -> None:
    ledger.anchor_heads()


@worker_process_init.connect
def drain_when_told(**_: object) -> None:
    signal.signal(DRAIN, lambda number, frame: host.stop_all())


@worker_shutting_down.connect
def drain_sessions(**_: object) -> None:
    """A worker that is told to end lets its runs drain rather than wait for their feeds to end, and takes no more."""
    host.stop_all()
    for child in active_children():
        os.kill(child.pid, DRAIN)
