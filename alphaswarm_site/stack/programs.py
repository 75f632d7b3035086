"""What supervisord runs, one entry each, and how each is started and stopped."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alphaswarm_site.stack import postgres, redis
from alphaswarm_site.stack.paths import BASE_DIR, StackPaths

# Names of the environment that a program of the stack may find.
STACK = "ALPHASWARM_STACK"
BIND = "ALPHASWARM_BIND"
SITE_ENVIRONMENT = "ALPHASWARM_SITE_ENVIRONMENT"


@dataclass(frozen=True)
class Program:
    """One process under supervisord.

    priority: programs stop in falling order; grace: seconds from the stop signal to SIGKILL; command: the
    arguments that the program is made of; own_environment: whether it is spared ours, secrets and all.
    """

    name: str
    priority: int
    command: Callable[[StackPaths], list[str]]
    grace: int
    stop_signal: str = "TERM"
    folder: Callable[[StackPaths], Path] = lambda paths: BASE_DIR
    own_environment: bool = False


def _manage(*words: str) -> Callable[[StackPaths], list[str]]:
    return lambda paths: [sys.executable, "manage.py", *words]


def _celery(*words: str) -> Callable[[StackPaths], list[str]]:
    return lambda paths: [sys.executable, "-m", "celery", "-A", "alphaswarm_site.celery:app", *words, "--loglevel=INFO"]


def _worker(name: str, queue: str, *words: str) -> Program:
    command = _celery(
        "worker", f"--queues={queue}", f"--hostname={name}@%h", "--without-gossip", "--without-mingle", *words
    )
    return Program(name, 10, command, 20)


def _web(paths: StackPaths) -> list[str]:
    host, _, port = os.environ[BIND].rpartition(":")
    return [sys.executable, "-m", "daphne", "-b", host, "-p", port, "alphaswarm_site.asgi:application"]


BASE = [
    # SIGINT is PostgreSQL's fast shutdown: it ends the sessions of clients and checkpoints.
    Program("postgres", 1, postgres.command, 60, "INT", lambda paths: Path("/"), own_environment=True),
    Program("redis", 2, redis.command, 20, folder=lambda paths: paths.redis_data, own_environment=True),
    Program("gatekeeper", 3, _manage("gatekeeper"), 5),
]
SITE = [
    # Two, so that sessions share no interpreter lock with more than half of the others, and no crash takes them all.
    _worker("worker-live-1", "live", "--pool=threads", "--concurrency=80"),
    _worker("worker-live-2", "live", "--pool=threads", "--concurrency=80"),
    _worker("worker-jobs", "jobs", "--pool=prefork", "--concurrency=2"),
    Program("beat", 11, _celery("beat", "--pidfile="), 5),
    Program("guard", 11, _manage("guard"), 5),
    Program("web", 12, _web, 10),
]
PROGRAMS = {program.name: program for program in BASE + SITE}
