"""The dead man's switch."""

from __future__ import annotations

import psycopg
import pytest
from django.db import OperationalError, connection

from alphaswarm_site import alerting as site_alerting
from alphaswarm_site import health
from risk.alerts import beat, heartbeat, queries
from tests.risk.alerts.sinks import web_sink

pytestmark = pytest.mark.django_db

PATIENCE = 10.0


@pytest.fixture
def service(settings):
    with web_sink() as sink:
        settings.HEARTBEAT_URL = f"{sink.url}/ping/canary"
        heartbeat.register(lambda: "")
        yield sink


def due() -> None:
    heartbeat._heart.due = 0.0


def test_it_beats_once_a_minute_while_all_is_well(service):
    beat(PATIENCE)
    beat(PATIENCE)
    assert [(call.method, call.path) for call in service.calls] == [("GET", "/ping/canary")]
    due()
    beat(PATIENCE)
    assert len(service.calls) == 2
    assert queries.heartbeat_row()["sent_at"]


def test_it_is_silent_while_anything_is_wrong_and_says_what(service):
    heartbeat.register(lambda: "workers: no worker listens to the queue live")
    beat(PATIENCE)
    assert service.calls == []
    row = queries.heartbeat_row()
    assert row["withheld"] == "workers: no worker listens to the queue live"
    heartbeat.register(lambda: "")
    due()
    beat(PATIENCE)
    assert len(service.calls) == 1
    assert queries.heartbeat_row()["withheld"] == ""


def test_it_is_silent_where_nobody_can_tell(service):
    def away() -> str:
        raise OperationalError("the database is away")

    heartbeat.register(away)
    beat(PATIENCE)
    assert service.calls == []


def test_one_that_did_not_arrive_is_shown_and_sent_again_soon(service):
    service.fails_with(500)
    beat(PATIENCE)
    row = queries.heartbeat_row()
    assert row["error"] == "answered 500"
    assert "canary" not in repr(row)
    assert heartbeat._heart.due - heartbeat.time.monotonic() <= heartbeat.SOON_SECONDS


def test_without_an_address_nothing_is_asked_and_nothing_sent(settings):
    heartbeat.register(lambda: 1 / 0)
    settings.HEARTBEAT_URL = ""
    beat(PATIENCE)
    assert queries.heartbeat_row()["configured"] is False


@pytest.mark.django_db(transaction=True)
def test_it_beats_again_after_its_connection_to_the_database_broke(service, monkeypatch):
    monkeypatch.setattr(health, "CHECKS", {"database": health.CHECKS["database"]})
    heartbeat.register(site_alerting.what_is_missing)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with psycopg.connect(**_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    beat(PATIENCE)
    assert service.calls == []
    due()
    beat(PATIENCE)
    assert len(service.calls) == 1


def _parameters() -> dict:
    found = connection.get_connection_params()
    return {name: found[name] for name in ("dbname", "user", "password", "host", "port") if found.get(name)}
