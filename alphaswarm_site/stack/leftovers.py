"""Processes of a stack whose supervisord was killed: found by a mark in their environment, and ended."""

import os
import signal

import psutil

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.programs import STACK

GRACE_SECONDS = 10


def find(paths: StackPaths) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_ours(process, paths)]


def _is_ours(process: psutil.Process, paths: StackPaths) -> bool:
    try:
        if process.environ().get(STACK) == str(paths.var):
            return True
        # Redis writes its title over its environment; its working folder stays.
        return process.name() == "redis-server" and process.cwd() == str(paths.redis_data)
    except (psutil.Error, OSError):
        return False


def end(paths: StackPaths) -> None:
    """Ask politely, then do not ask: the users of the servers first, PostgreSQL last."""
    left = find(paths)
    servers = [process for process in left if _name(process) in ("postgres", "redis-server")]
    for group in ([process for process in left if process not in servers], servers):
        for process in group:
            _send(process, signal.SIGINT if _name(process) == "postgres" else signal.SIGTERM)
        _, alive = psutil.wait_procs(group, timeout=GRACE_SECONDS)
        for process in alive:
            _send(process, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
