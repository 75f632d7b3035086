"""A sweep without the job queue: worker processes of this command, one per core."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from typing import Final
from uuid import UUID

_POLL_SECONDS: Final = 0.25

#: Called a few times a second while the processes work; returns False once they are to end.
Look = Callable[[], bool]


def run_here(sweep_id: UUID, processes: int, look: Look) -> None:
    """Work on a sweep with so many processes until it has ended; a process that dies leaves its trials to the others.

    Raises `RuntimeError` where all of them died and trials are left.
    """
    context = multiprocessing.get_context("spawn")
    crew = [context.Process(target=_work, args=(str(sweep_id),), daemon=True) for _ in range(processes)]
    for one in crew:
        one.start()
    try:
        while any(one.is_alive() for one in crew):
            if not look():
                break
            crew[0].join(_POLL_SECONDS)
            if not crew[0].is_alive():
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        # Left to themselves they could be done before the sweep is cancelled.
        for one in crew:
            one.terminate()
        raise
    finally:
        _dismiss(crew)
    if look():
        codes = ", ".join(str(one.exitcode) for one in crew)
        raise RuntimeError(f"every worker process has ended (exit codes {codes}), and trials are left")


def _dismiss(crew: list[SpawnProcess]) -> None:
    for one in crew:
        one.join(2 * _POLL_SECONDS)
        if one.is_alive():
            one.terminate()
    for one in crew:
        one.join()


def _work(sweep_id: str) -> None:
    """In a fresh interpreter; Ctrl-C is the parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
    import django

    django.setup()
    # Models exist only now.
    from trading.sweeps.running import finish, work

    wanted = UUID(sweep_id)
    work(wanted)
    while not finish(wanted):
        # The others' last trials: if one of them dies, somebody has to be left.
        time.sleep(_POLL_SECONDS)
        work(wanted)
