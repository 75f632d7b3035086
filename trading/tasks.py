"""What the job queue carries. A message is a hint: the claim decides who runs what."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutting_down

from trading import host, ledger, supervisor


@shared_task(name="trading.tasks.run_session")
def run_session(run_id: str) -> None:
    host.run_session(UUID(run_id))


@shared_task(name="trading.tasks.run_backtest")
def run_backtest(run_id: str) -> None:
    host.run_backtest(UUID(run_id))


@shared_task(name="trading.tasks.supervise", expires=10)
def supervise() -> None:
    supervisor.supervise()


@shared_task(name="trading.tasks.anchor_heads", expires=10)
def anchor_heads() -> None:
    ledger.anchor_heads()


@worker_shutting_down.connect
def drain_sessions(**_: object) -> None:
    """A worker that is told to end lets its sessions drain rather than wait for their feeds to end."""
    host.stop_all()
