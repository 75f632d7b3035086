"""Figures for Prometheus, asked of the database, Redis and the gate at each scrape.

What processes count themselves, the calls to venues, they count in files that any of them can add up. So it does not
matter which of several answers. A source that does not answer leaves its figures out, and `alphaswarm_source_up` says
so.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import redis
from django.conf import settings
from django.db import Error
from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from alphaswarm_site import heartbeat
from risk import kill_switch, queries
from trading.engine.orders import OPEN_STATUSES
from trading.models import Mode, Order, Run, RunStatus

log = logging.getLogger(__name__)

_KEPT_SECONDS = 3600


def exposition() -> bytes:
    """The text that Prometheus reads."""
    return generate_latest(_registry)


class _Figures(Collector):
    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("alphaswarm_source_up", "1 where a source of figures answers", labels=["source"])
        for name, source in SOURCES.items():
            try:
                found = list(source())
            except (Error, redis.RedisError) as error:
                log.warning("no figures from %s: %s", name, error)
                found = []
            up.add_metric([name], float(bool(found)))
            yield from found
        yield up
        yield from _counted()

    def describe(self) -> Iterable[Metric]:
        return []  # not known without asking, and nothing to clash with


def _runs() -> Iterator[Metric]:
    counted = {
        (row["mode"], row["status"]): row["count"]
        for row in Run.objects.order_by().values("mode", "status").annotate(count=Count("*"))
    }
    every = [(mode, status) for mode in Mode.values for status in RunStatus.values]
    runs = GaugeMetricFamily("alphaswarm_runs", "Runs by mode and status", labels=["mode", "status"])
    for key in every:
        runs.add_metric(key, counted.get(key, 0))
    yield runs
    open_orders = Order.objects.filter(status__in=list(OPEN_STATUSES)).count()
    yield GaugeMetricFamily("alphaswarm_open_orders", "Orders that are not final", value=open_orders)


def _kill_switch() -> Iterator[Metric]:
    state = kill_switch.state()
    yield GaugeMetricFamily("alphaswarm_kill_switch_engaged", "1 while nothing may trade", value=float(state.engaged))
    yield GaugeMetricFamily("alphaswarm_kill_switch_epoch", "Engagements so far", value=state.epoch or 0)


def _gate() -> Iterator[Metric]:
    reading = queries.gate_reading()
    help_text = "Age of this host's order gate; no order leaves above 0.15"
    yield GaugeMetricFamily("alphaswarm_gate_age_seconds", help_text, value=reading.age_ms / 1000)


def _queues() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("alphaswarm_queue_length", "Tasks that no worker has taken yet", labels=["queue"])
    alive = GaugeMetricFamily("alphaswarm_worker_up", "1 while a worker listens to the queue", labels=["queue"])
    with heartbeat.client() as server:
        living = heartbeat.living_queues(server)
        for queue in heartbeat.QUEUES:
            length: Any = server.llen(queue)
            waiting.add_metric([queue], length)
            alive.add_metric([queue], float(living[queue]))
    yield from (waiting, alive)


def _counted() -> Iterable[Metric]:
    """What all processes have counted. The counts of one that is gone stay for an hour, what it had under way does
    not."""
    folder = settings.STACK.counts
    for file in folder.glob("*.db"):
        if not _is_alive(int(file.stem.rpartition("_")[2])):
            age = time.time() - file.stat().st_mtime
            if file.stem.startswith("gauge_") or age > _KEPT_SECONDS:
                file.unlink(missing_ok=True)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return registry.collect()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


SOURCES: dict[str, Callable[[], Iterator[Metric]]] = {
    "runs": _runs,
    "kill_switch": _kill_switch,
    "gate": _gate,
    "queues": _queues,
}

_registry = CollectorRegistry()
_registry.register(_Figures())
