"""What must be there before the site can be called ready, each part by its name."""

import logging
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from alphaswarm_site import heartbeat
from risk import queries
from risk.gate import FRESH_MS
from trading import releases

log = logging.getLogger(__name__)

Part = dict[str, Any]


class Missing(Exception):
    """A part is not there; the message says what to look at."""


def parts() -> dict[str, Part]:
    """Each part: `ok`, and a sentence in `detail` where it is not."""
    return {name: _asked(name, check) for name, check in CHECKS.items()}


def _asked(name: str, check: Callable[[], None]) -> Part:
    try:
        check()
    except Missing as error:
        return {"ok": False, "detail": str(error)}
    except (Error, redis.RedisError) as error:
        log.warning("%s is not ready: %s", name, error)
        return {"ok": False, "detail": "does not answer"}
    return {"ok": True, "detail": ""}


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    _all_applied()


@cache
def _all_applied() -> None:
    """Remembered once true: what is applied stays so for as long as this process runs this code."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        raise Missing(f"{len(waiting)} are not applied: run `alphaswarm migrate`")


def _redis() -> None:
    with heartbeat.client() as server:
        server.ping()


def _gatekeeper() -> None:
    age = queries.gate_reading().age_ms
    if math.isinf(age):
        raise Missing("has not written its file; no order leaves")
    if age > FRESH_MS:
        raise Missing(f"its reading is {age:.0f} ms old; no order leaves")


def _workers() -> None:
    with heartbeat.client() as server:
        silent = [queue for queue, alive in heartbeat.living_queues(server).items() if not alive]
    if silent:
        raise Missing(f"no worker listens to the queue {' nor to '.join(silent)}")


def _versions() -> None:
    wanted = releases.declared() or settings.PROGRAM_VERSION
    with heartbeat.client() as server:
        found = {process.name: process.version for process in heartbeat.living(server)}
    others = [f"{name} is {version}" for name, version in found.items() if version != wanted]
    if wanted != settings.PROGRAM_VERSION:
        others.append(f"who answers is {settings.PROGRAM_VERSION}")
    if others:
        raise Missing(f"the stack is {wanted}, {', '.join(others)}; these own no run: `alphaswarm restart`")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "gatekeeper": _gatekeeper,
    "workers": _workers,
    "versions": _versions,
}
