import json
import time
from urllib.request import urlopen

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from access import actions
from access.principals import cli_principal
from alphaswarm_site import health, heartbeat
from risk import places
from risk.gate_file import GateFile

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything_there():
    """A fresh gate, and for each queue a worker's heartbeat and no message that another test has left."""
    GateFile(places.gate()).write(1, False, time.monotonic_ns() + 10**9)
    with heartbeat.client() as server:
        server.delete(*heartbeat.QUEUES)
        for queue in heartbeat.QUEUES:
            server.set(f"worker:{queue}", 1, px=heartbeat.KEPT_MS)
        yield server
        server.delete(*(f"worker:{queue}" for queue in heartbeat.QUEUES))
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
    assert list(document["parts"]) == ["database", "migrations", "redis", "gatekeeper", "workers"]
    assert missing(client) == []


def test_a_stale_gate_is_not_ready(client, everything_there):
    GateFile(places.gate()).write(1, False, time.monotonic_ns() - 10**9)
    assert missing(client) == ["gatekeeper"]


def test_a_queue_without_a_worker_is_not_ready(client, everything_there):
    everything_there.delete("worker:jobs")
    assert missing(client) == ["workers"]
    assert "jobs" in client.get("/readyz").json()["parts"]["workers"]["detail"]


def test_without_redis_it_is_not_ready(client, everything_there, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert missing(client) == ["redis", "workers"]


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
