"""What `paper` and `backtest` share: running in this process, and saying how it ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from alphaswarm_site.commands import BadInput, CommandFailed, Refused
from trading import host
from trading.admission import GateRefused, KillEngaged
from trading.engine.errors import TradingError
from trading.recipes import RecipeError
from trading.summary import RunSummary

#: Final statuses and the exit code of the command that ran them.
EXIT_CODES: Mapping[str, int] = {"completed": 0, "stopped": 0, "halted": 1, "failed": 1, "killed": 3}


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn what may go wrong with a start into one line and an exit code."""
    try:
        yield
    except RecipeError as error:
        problems = [{"field": one.field, "message": one.message, "allowed": one.allowed} for one in error.problems]
        raise BadInput(str(error), "invalid", errors=problems) from error
    except TradingError as error:
        raise BadInput(str(error), "invalid") from error
    except GateRefused as error:
        reasons = [{"code": reason.code, "message": reason.message} for reason in error.reasons]
        raise Refused(str(error), "gate_refused", reasons=reasons, run_id=str(error.run.id)) from error
    except KillEngaged as error:
        raise Refused(str(error), "kill_engaged") from error


@contextmanager
def draining_on_signals() -> Iterator[None]:
    """While inside, SIGINT and SIGTERM ask this process' sessions to drain instead of ending it."""
    handlers = {number: signal.signal(number, _drain) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _drain(number: int, frame: object) -> None:
    host.stop_all()


def answer_of(summary: RunSummary | None, emit: Callable[[Mapping[str, Any]], None]) -> None:
    """Print a run's summary; leave with the exit code of how it ended."""
    if summary is None:
        raise CommandFailed("another process took the run over", "lease_lost")
    emit(summary.as_dict())
    code = EXIT_CODES.get(summary.status, 1)
    if code:
        raise SystemExit(code)
