"""The processes of the stack say in Redis that they live: a key each, kept for a few seconds, set anew each second.

The key tells the process, its version, and the queues that it listens to.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from dataclasses import dataclass
from typing import Any

import msgspec
import redis
from celery.signals import beat_init, worker_ready, worker_shutting_down
from django.conf import settings

log = logging.getLogger(__name__)

QUEUES = ("live", "jobs")
BEAT_SECONDS = 1.0
KEPT_MS = 10_000
#: The set of all names that were ever told.
NAMES = "processes"


@dataclass(frozen=True)
class Process:
    """A process that lives. ``name`` is the program's and the host's, such as worker-live-1@desk."""

    name: str
    version: str
    pid: int
    queues: tuple[str, ...] = ()

    def say(self, server: redis.Redis) -> None:
        """Say once that it lives. Raises redis.RedisError."""
        with server.pipeline() as pipeline:
            pipeline.sadd(NAMES, self.name)
            pipeline.set(_key(self.name), msgspec.json.encode(self), px=KEPT_MS)
            pipeline.execute()

    def withdraw(self, server: redis.Redis) -> None:
        server.delete(_key(self.name))


def client() -> redis.Redis:
    """Redis, with the patience of a health check."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def name_here(program: str) -> str:
    """The name of a program's process on this host."""
    return f"{program}@{socket.gethostname()}"


def living(server: redis.Redis) -> list[Process]:
    """Every process that lives, by name. Raises redis.RedisError."""
    names: Any = server.smembers(NAMES)
    if not names:
        return []
    told: Any = server.mget([_key(name.decode()) for name in names])
    found = [msgspec.json.decode(one, type=Process) for one in told if one is not None]
    return sorted(found, key=lambda process: process.name)


def living_queues(server: redis.Redis) -> dict[str, bool]:
    """Which queues a worker listens to. Raises redis.RedisError."""
    heard = {queue for process in living(server) for queue in process.queues}
    return {queue: queue in heard for queue in QUEUES}


def begin(name: str, queues: tuple[str, ...] = ()) -> threading.Event:
    """Say from now on that this process lives, until the event that is answered is set.

    What it has by now, it has until it ends: the garbage collector, which stops every thread while it looks, passes it
    over. To look through all that is imported takes a fifth of a second.
    """
    gc.collect()
    gc.freeze()
    process, over = Process(name, settings.PROGRAM_VERSION, os.getpid(), queues), threading.Event()
    threading.Thread(target=_beat, args=(process, over), name="heartbeat", daemon=True).start()
    return over


@worker_ready.connect
def begin_worker(sender: Any, **_: Any) -> None:
    over = begin(sender.hostname, tuple(sender.app.amqp.queues.consume_from))
    worker_shutting_down.connect(lambda **_: over.set(), weak=False)


@beat_init.connect
def begin_beat(**_: Any) -> None:
    begin(name_here("beat"))


def _beat(process: Process, over: threading.Event) -> None:
    server = client()
    while True:
        try:
            process.say(server)
        except redis.RedisError as error:
            log.warning("the heartbeat does not reach Redis: %s", error)
        if over.wait(BEAT_SECONDS):
            break


def _key(name: str) -> str:
    return f"process:{name}"
