"""What `paper` and `backtest` share: running in this process, and saying how it ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from alphaswarm_site.commands import BadInput, CommandFailed, Refused
from trading import actions, host
from trading.admission import GateRefused, StartHeld
from trading.engine.errors import TradingError
from trading.models import Run
from trading.recipes import RecipeError
from trading.releases import OtherVersion
from trading.summary import RunSummary

#: Final statuses and the exit code of the command that ran them.
EXIT_CODES: Mapping[str, int] = {"completed": 0, "stopped": 0, "halted": 1, "failed": 1, "killed": 3}
#: A session drains within a bar, a backtest stops at once; one that hangs is left to its worker.
END_SECONDS = 30.0
_DRAINING: Final = b"\ndraining: orders are cancelled and the ledger written; once more to leave at once\n"
_LEFT: Final = b"left at once: the stack takes up what is open once the lease is over\n"


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn what may go wrong with a start into one line and an exit code."""
    try:
        yield
    except RecipeError as error:
        problems = [{"field": one.field, "message": one.message, "allowed": one.allowed} for one in error.problems]
        raise BadInput(str(error), "invalid", errors=problems) from error
    except OtherVersion as error:
        raise Refused(str(error), "other_version") from error
    except TradingError as error:
        raise BadInput(str(error), "invalid") from error
    except GateRefused as error:
        reasons = [{"code": reason.code, "message": reason.message} for reason in error.reasons]
        raise Refused(str(error), "gate_refused", reasons=reasons, run_id=str(error.run.id)) from error
    except StartHeld as error:
        raise Refused(str(error), error.code) from error


@contextmanager
def draining_on_signals() -> Iterator[None]:
    """While inside, SIGINT or SIGTERM asks this process' sessions to drain instead of ending it. Another one ends it on
    the spot, for whoever cannot wait, such as for a database that is gone: what is open is taken up as after a crash.
    """
    asked = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            os.write(sys.stderr.fileno(), _LEFT)
            os._exit(128 + number)
        asked = True
        os.write(sys.stderr.fileno(), _DRAINING)
        host.stop_all()

    handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def wait_for_end(run_ids: Sequence[UUID]) -> bool:
    """Wait until all these runs have ended, or for a while; whether they have."""
    give_up = time.monotonic() + END_SECONDS
    while Run.objects.filter(pk__in=run_ids).exclude(status__in=actions.ENDED).exists():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def answer_of(summary: RunSummary | None, emit: Callable[[Mapping[str, Any]], None]) -> None:
    """Print a run's summary; leave with the exit code of how it ended."""
    if summary is None:
        raise CommandFailed("another process took the run over", "lease_lost")
    emit(summary.as_dict())
    code = EXIT_CODES.get(summary.status, 1)
    if code:
        raise SystemExit(code)
