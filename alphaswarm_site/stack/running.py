"""Keeping the servers up for as long as somebody uses them.

Every command holds a shared lock on `inuse` while it runs; the one that finds itself alone when it leaves stops the
servers. Starting and stopping take turns by an exclusive lock on `starting`.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from alphaswarm_site.stack import leftovers, postgres, redis, schema
from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from alphaswarm_site.stack.urls import ServerUrls
from alphaswarm_site.stack.waiting import wait_until
from risk import places
from risk.gate import OrderGate, Verdict

Report = Callable[[str], None]
SERVER_SECONDS = 60
GATE_SECONDS = 5


@contextmanager
def ensure_running(report: Report = lambda text: None, *, strict: bool = False) -> Iterator[Supervisor]:
    """Have everything that a command needs: the servers, an up-to-date database, the gatekeeper.

    Raises StackError, whose message is for the user; with ``strict`` also where the database cannot be updated now.
    """
    with servers(settings.STACK, report) as supervisor:
        schema.bring_up_to_date(report, strict=strict)
        _open_gate(supervisor, report)
        yield supervisor


def _open_gate(supervisor: Supervisor, report: Report) -> None:
    """Have a gatekeeper: one that is run by other means (systemd, another stack's command) serves as well."""
    gate = OrderGate(places.gate())
    if gate.verdict() is not Verdict.STALE:
        return
    supervisor.run("gatekeeper")
    if gate.wait_open_sync(GATE_SECONDS) is Verdict.STALE:
        report(f"The order gate stays shut, no order will leave: see {supervisor.paths.log}/gatekeeper.log")


@contextmanager
def servers(paths: StackPaths, report: Report = lambda text: None) -> Iterator[Supervisor]:
    """Have PostgreSQL and Redis answer, starting what is missing; stop them afterwards if nobody else uses them.

    Raises StackError where they cannot run.
    """
    make_folders(paths)
    supervisor = Supervisor(paths)
    with (paths.var / "inuse").open("a") as in_use:
        with _turn(paths):
            fcntl.flock(in_use, fcntl.LOCK_SH)
            try:
                _start(paths, supervisor, report)
            except BaseException:
                _stop_if_alone(in_use, supervisor)
                raise
        try:
            yield supervisor
        finally:
            with _turn(paths):
                _stop_if_alone(in_use, supervisor)


def make_folders(paths: StackPaths) -> None:
    """Make the folders of the stack, closed to other users' eyes but not to the server's user."""
    try:
        paths.var.mkdir(mode=0o711, parents=True, exist_ok=True)
        paths.log.mkdir(mode=0o700, exist_ok=True)
        paths.run.mkdir(mode=0o711, exist_ok=True)
    except OSError as error:
        message = f"{error.filename} cannot be made ({error.strerror}): set ALPHASWARM_VAR to a folder of yours"
        raise StackError(message) from error
    _check_owner(paths.var)
    _check_owner(paths.run)


def _check_owner(folder: Path) -> None:
    status = folder.lstat()
    if status.st_uid != os.getuid():
        raise StackError(
            f"{folder} belongs to user {status.st_uid}: run as that user, or set ALPHASWARM_VAR to a folder of yours"
        )


@contextmanager
def _turn(paths: StackPaths) -> Iterator[None]:
    with (paths.var / "starting").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(paths: StackPaths, supervisor: Supervisor, report: Report) -> None:
    urls = ServerUrls.find(paths)
    bundled = [
        *([("postgres", postgres)] if urls.bundled_database(paths) else []),
        *([("redis", redis)] if urls.bundled_redis(paths) else []),
    ]
    if supervisor.pid() is None:
        leftovers.end(paths)
        supervisor.start()
    missing = [(name, server) for name, server in bundled if not server.answers(paths)]
    if missing:
        report("Starting the servers ...")
    for name, server in missing:
        server.prepare(paths)
        supervisor.run(name)
    for name, server in missing:
        _wait_for(name, server.answers, paths, supervisor)
    if urls.bundled_database(paths):
        postgres.create_database(paths)


def _wait_for(name: str, answers: Callable[[StackPaths], bool], paths: StackPaths, supervisor: Supervisor) -> None:
    def answers_or_fails() -> bool:
        supervisor.check_alive(name)
        return answers(paths)

    if not wait_until(answers_or_fails, SERVER_SECONDS):
        raise StackError(f"{name} does not answer after {SERVER_SECONDS} seconds: see {paths.log / name}.log")


def _stop_if_alone(in_use: IO[str], supervisor: Supervisor) -> None:
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    supervisor.shut_down()
    leftovers.end(supervisor.paths)
    if not supervisor.paths.run.is_relative_to(supervisor.paths.var):
        shutil.rmtree(supervisor.paths.run, ignore_errors=True)
