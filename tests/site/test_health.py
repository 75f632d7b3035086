import asyncio
import json
import os
import shutil
import time
from dataclasses import replace
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from access import actions
from access.principals import cli_principal
from alphaswarm_site import health, heartbeat
from brokers.sim import SimulatedBrokerage
from risk import places
from risk.gate_file import GateFile
from trading.models import Release

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything_there():
    """A fresh gate, and for each queue a worker's heartbeat and no message that another test has left.

    Answers with Redis and the workers.
    """
    GateFile(places.gate()).write(1, False, time.monotonic_ns() + 10**9)
    with heartbeat.client() as server:
        server.delete(*heartbeat.QUEUES, *(f"process:{process.name}" for process in heartbeat.living(server)))
        workers = {
            queue: heartbeat.Process(f"worker-{queue}@here", settings.PROGRAM_VERSION, 1, (queue,))
            for queue in heartbeat.QUEUES
        }
        for worker in workers.values():
            worker.say(server)
        yield server, workers
        for worker in workers.values():
            worker.withdraw(server)
    places.gate().unlink()


def missing(client) -> list[str]:
    answer = client.get("/readyz")
    document = answer.json()
    absent = [name for name, part in document["parts"].items() if not part["ok"]]
    assert answer.status_code == (503 if absent else 200)
    assert all(bool(part["detail"]) is not part["ok"] for part in document["parts"].values())
    return absent


def figures(client, **options) -> dict[tuple, float]:
    answer = client.get("/metrics", **options)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_alive_is_not_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_names_every_part(client, everything_there):
    document = client.get("/readyz").json()
    assert document["status"] == "ready"
    assert list(document["parts"]) == ["database", "migrations", "redis", "gatekeeper", "workers", "versions"]
    assert missing(client) == []


def test_a_stale_gate_is_not_ready(client, everything_there):
    GateFile(places.gate()).write(1, False, time.monotonic_ns() - 10**9)
    assert missing(client) == ["gatekeeper"]


def test_a_queue_without_a_worker_is_not_ready(client, everything_there):
    server, workers = everything_there
    workers["jobs"].withdraw(server)
    assert missing(client) == ["workers"]
    assert "jobs" in client.get("/readyz").json()["parts"]["workers"]["detail"]


def test_processes_of_different_versions_are_not_ready_and_named(client, everything_there):
    server, workers = everything_there
    replace(workers["live"], version="0.0.9+old").say(server)
    assert missing(client) == ["versions"]
    assert "worker-live@here is 0.0.9+old" in client.get("/readyz").json()["parts"]["versions"]["detail"]


def test_a_web_process_of_another_version_than_the_stack_says_so(client, everything_there, settings):
    Release.objects.create(version="0.2.0+new")
    assert missing(client) == ["versions"]
    assert f"who answers is {settings.PROGRAM_VERSION}" in client.get("/readyz").json()["parts"]["versions"]["detail"]


def test_without_redis_it_is_not_ready(client, everything_there, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert missing(client) == ["redis", "workers", "versions"]


def test_a_migration_that_is_not_applied_is_not_ready(client, everything_there):
    health._all_applied.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'metadata' AND name LIKE '0002%'")
    assert missing(client) == ["migrations"]


def test_an_answer_tells_nothing_of_the_inside(client, everything_there, settings):
    settings.REDIS_URL = "redis://user:hunter2@127.0.0.1:1/0"
    assert b"hunter2" not in client.get("/readyz").content


def test_figures_are_there_from_the_start(client, everything_there):
    found = figures(client)
    assert found["alphaswarm_runs", "paper", "running"] == 0
    assert found["alphaswarm_open_orders",] == 0
    assert found["alphaswarm_kill_switch_engaged",] == 0
    assert found["alphaswarm_worker_up", "live"] == 1
    assert found["alphaswarm_queue_length", "jobs"] == 0
    assert {source: found["alphaswarm_source_up", source] for source in ("runs", "kill_switch", "gate", "queues")} == {
        "runs": 1,
        "kill_switch": 1,
        "gate": 1,
        "queues": 1,
    }


def test_a_source_that_is_away_leaves_the_others(client, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    found = figures(client)
    assert found["alphaswarm_source_up", "queues"] == 0
    assert found["alphaswarm_source_up", "runs"] == 1


def test_calls_to_venues_are_told_by_outcome_and_those_of_ended_processes_for_an_hour(client, settings):
    asyncio.run(SimulatedBrokerage().query_positions_async())
    key = ("alphaswarm_broker_calls_total", "query_positions", "ok", "sim")
    [ours] = settings.STACK.counts.glob(f"counter_{os.getpid()}.db")
    ended = settings.STACK.counts / "counter_4194304.db"
    before = figures(client)[key]
    assert before >= 1
    shutil.copy(ours, ended)
    assert figures(client)[key] > before
    os.utime(ended, (0, 0))
    assert figures(client)[key] == before
    assert not ended.exists()


@pytest.mark.parametrize("elsewhere", [{"REMOTE_ADDR": "192.0.2.1"}, {"headers": {"X-Forwarded-For": "192.0.2.1"}}])
def test_from_elsewhere_figures_need_a_token(client, elsewhere):
    assert client.get("/metrics", **elsewhere).status_code == 401
    _, secret = actions.create_token("prometheus", "read", principal=cli_principal())
    headers = {**elsewhere.get("headers", {}), "Authorization": f"Bearer {secret}"}
    assert figures(client, **{**elsewhere, "headers": headers})


def test_a_whole_stack_is_ready(live_stack):
    with urlopen(f"{live_stack.base_url}/readyz") as answer:
        parts = json.load(answer)["parts"]
    assert all(part["ok"] for part in parts.values())
