"""The runs of this process: claim, build, run, and let go, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import DatabaseError, close_old_connections

from trading import ledger, runner
from trading.engine.bars import to_nanos
from trading.engine.errors import TradingError
from trading.engine.records import Kind, Record
from trading.frames import of_record, publisher
from trading.lease import Lease, claim, keeper
from trading.ledger import LeaseLost
from trading.models import Run
from trading.paper_trading import STOPPED, Ending, PaperTradingSession
from trading.show import Show, show_of
from trading.summary import RunSummary

log = logging.getLogger(__name__)

_sessions: dict[UUID, PaperTradingSession] = {}


def run_session(run_id: UUID, observer: Show | None = None, **secrets: Any) -> RunSummary | None:
    """Run a queued session to its end in this thread; None when another process has claimed it or took it over."""
    lease = claim(run_id)
    if lease is None:
        log.info("run %s is not for the taking", run_id)
        return None
    keeper().hold(lease)
    try:
        run = Run.objects.get(pk=run_id)
        show = show_of(run, observer)
        session = runner.session(run, lease, show, **secrets)
    except (TradingError, ValueError, OSError) as error:
        keeper().release(lease)
        return _fail(run_id, lease, error, observer)
    close_old_connections()
    _sessions[run_id] = session
    try:
        return asyncio.run(session.run())
    except LeaseLost:
        log.error("run %s was taken from this process", run_id)
        return None
    finally:
        _sessions.pop(run_id, None)
        _let_go(run_id, lease)


def run_backtest(run_id: UUID, observer: Show | None = None) -> RunSummary | None:
    """Run a queued backtest to its end in this thread; None when it is not for the taking."""
    lease = claim(run_id)
    if lease is None:
        return None
    keeper().hold(lease)
    try:
        run = Run.objects.get(pk=run_id)
        return runner.backtest(run, lease, show_of(run, observer))
    except LeaseLost:
        log.error("backtest %s was taken from this process", run_id)
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


def stop_all(ending: Ending = STOPPED) -> int:
    """Ask every session of this process to drain; returns how many there are."""
    sessions = list(_sessions.values())
    for session in sessions:
        session.stop(ending)
    return len(sessions)


def _fail(run_id: UUID, lease: Lease, error: Exception, observer: Show | None) -> RunSummary | None:
    """A run that could not even be built ends as failed, with the reason for all to see."""
    log.exception("run %s failed", run_id)
    now = datetime.now(UTC)
    reason = f"{type(error).__name__}: {error}"
    data = {"status": "failed", "reason": reason, "ended_at": now.isoformat()}
    record = Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data=data)
    ledger.append_now(run_id, [record], token=lease.token)
    run = Run.objects.get(pk=run_id)
    show = show_of(run, observer)
    for stage, message, extras in of_record(record):
        show(stage, message, record.time, **extras)
    return RunSummary.of_failure(run)
