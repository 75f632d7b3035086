"""Workers say in Redis that they live: a key per queue, kept for a few seconds, set anew each second."""

import logging
import threading
from typing import Any

import redis
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

log = logging.getLogger(__name__)

QUEUES = ("live", "jobs")
BEAT_SECONDS = 1.0
KEPT_MS = 10_000


def client() -> redis.Redis:
    """Redis, with the patience of a health check."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def living_queues(server: redis.Redis) -> dict[str, bool]:
    """Which queues a worker listens to. Raises redis.RedisError."""
    beats = server.mget([_key(queue) for queue in QUEUES])
    return {queue: beat is not None for queue, beat in zip(QUEUES, beats, strict=True)}


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    queues = list(sender.app.amqp.queues.consume_from)
    stopping = threading.Event()
    worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
    threading.Thread(target=_beat, args=(queues, stopping), name="heartbeat", daemon=True).start()


def _beat(queues: list[str], stopping: threading.Event) -> None:
    server = client()
    while not stopping.wait(BEAT_SECONDS):
        try:
            for queue in queues:
                server.set(_key(queue), 1, px=KEPT_MS)
        except redis.RedisError as error:
            log.warning("the heartbeat does not reach Redis: %s", error)


def _key(queue: str) -> str:
    return f"worker:{queue}"
