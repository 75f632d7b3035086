"""The runs of this process: claim, build, run, and let go, whatever happens."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, close_old_connections

from trading import dispatch, ledger, runner
from trading.engine.bars import to_nanos
from trading.engine.records import Kind, Record
from trading.frames import publisher
from trading.lease import HandedOver, Lease, claim, give_away, keeper, owner_name
from trading.ledger import LeaseLost
from trading.ledger.writing import AWAY
from trading.models import Mode, Run
from trading.show import Observer, Show
from trading.summary import RunSummary

log = logging.getLogger(__name__)

#: What is done with a claimed run.
Work = Callable[[Run, Lease, Show], RunSummary]

#: The database's own errors, whichever way it is asked.
_AWAY: Final = (*AWAY, OperationalError, InterfaceError, InternalError)


def run_session(run_id: UUID, observer: Observer | None = None, **secrets: Any) -> RunSummary | None:
    """Run a queued session to its end in this thread; None when another process has claimed it or is to go on with it.

    Raises `trading.releases.OtherVersion`.
    """

    def work(run: Run, lease: Lease, show: Show) -> RunSummary:
        session = runner.session(run, lease, show, **secrets)
        close_old_connections()
        return asyncio.run(session.run())

    return _own(run_id, work, observer, passing=_AWAY)


def run_backtest(run_id: UUID, observer: Observer | None = None, *, hand_back: bool = False) -> RunSummary | None:
    """Run a queued backtest to its end in this thread; None when it is not for the taking.

    With ``hand_back`` a process that is to end leaves it to another worker, and answers None too; without, it stops.
    Raises `trading.releases.OtherVersion`.
    """

    def work(run: Run, lease: Lease, show: Show) -> RunSummary:
        return runner.backtest(run, lease, show, hand_back=hand_back)

    return _own(run_id, work, observer)


def _own(
    run_id: UUID, work: Work, observer: Observer | None, passing: tuple[type[Exception], ...] = ()
) -> RunSummary | None:
    """Claim a run and do the work. After an error that is ``passing`` the run is the next owner's, as if this one were
    lost."""
    lease = claim(run_id)
    if lease is None:
        log.info("run %s is not for the taking", run_id)
        return None
    keeper().hold(lease)
    try:
        run = Run.objects.get(pk=run_id)
        return work(run, lease, Show(run, observer))
    except LeaseLost:
        log.error("run %s was taken from this process", run_id)
        return None
    except HandedOver:
        _hand_over(lease, "its worker was told to end")
        return None
    except passing as error:
        # The lease is left to expire and not handed over: owners that were lost are counted, so an error that does not
        # pass ends the run.
        log.warning("run %s is left to its next owner: %s", run_id, error)
        return None
    except Exception as error:
        return _fail(run_id, lease, error, observer)
    finally:
        _let_go(run_id, lease)


def _let_go(run_id: UUID, lease: Lease) -> None:
    keeper().release(lease)
    publisher().flush(run_id, timeout=2.0)
    try:
        ledger.anchor_heads(run_id)
    except (DatabaseError, psycopg.Error) as error:
        log.warning("the chain of run %s is anchored later: %s", run_id, error)


def _hand_over(lease: Lease, reason: str) -> None:
    """Queue the run again, and tell the workers. While the database is away its lease is left to expire."""
    try:
        give_away(lease, f"handed over by {owner_name()}: {reason}")
        log.info("run %s is handed over: %s", lease.run_id, reason)
        dispatch.send(Run.objects.get(pk=lease.run_id))
    except LeaseLost:
        log.info("run %s was taken from this process before it was handed over", lease.run_id)
    except _AWAY as error:
        log.warning("run %s could not be handed over: %s", lease.run_id, error)


def leave() -> None:
    """Leave every run of this process, which is to end, to other workers.

    Nothing ends a thread that does not come back, such as that of a blocked strategy. Its run is given away all the
    same, and the process ends at once.
    """
    blocked = keeper().hand_over()
    for lease in blocked:
        _hand_over(lease, "its session did not answer")
        keeper().lose(lease)
    close_old_connections()
    if blocked:
        ledger.writer().close()
        os._exit(0)


def stop_all() -> int:
    """Ask every run of this process, also one that is only being built, to drain; returns how many there are."""
    return keeper().drain()


def _fail(run_id: UUID, lease: Lease, error: Exception, observer: Observer | None) -> RunSummary | None:
    """A run that could not be built, or not be brought to its end, ends as failed, with the reason for all to see.

    A session that has begun before may have orders at its venue, and is left to a person as interrupted.
    """
    log.exception("run %s failed", run_id)
    now = datetime.now(UTC)
    run = Run.objects.get(pk=run_id)
    begun = run.mode != Mode.BACKTEST and run.started_at is not None
    reason = f"not resumed: {error}" if begun else f"{type(error).__name__}: {error}"
    data = {"status": "interrupted" if begun else "failed", "reason": reason, "ended_at": now.isoformat()}
    record = Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data=data)
    ledger.append_now(run_id, [record], token=lease.token)
    run.refresh_from_db()
    Show(run, observer).facts([record])
    return RunSummary.of_failure(run)
