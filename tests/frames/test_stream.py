"""The event stream and a socket, through a daphne of their own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
import requests
from django.conf import settings
from django.db import connection
from websockets.sync.client import connect

from tests.environment import PROJECT
from tests.live import free_port
from trading import frames
from trading.frames.publishing import FramePublisher
from trading.models import Run

START_SECONDS = 30


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[str]:
    """HOST:PORT of a daphne on the test database."""
    name = connection.settings_dict["NAME"]
    database = (
        settings.STACK.database_url(name=name)
        if settings.SERVERS.bundled_database(settings.STACK)
        else settings.SERVERS.database.rpartition("/")[0] + f"/{name}"
    )
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "alphaswarm_site.asgi:application"],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": database, "REDIS_URL": settings.REDIS_URL},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        for line in process.stderr:
            if "Listening on TCP" in line:
                break
        else:
            raise AssertionError(f"daphne ended with {process.wait(START_SECONDS)}")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_SECONDS)


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def say(publisher: FramePublisher, run: Run, stage: str, message: str = "") -> None:
    publisher.publish(run.id, run.task_id, stage, message)
    assert publisher.flush(run.id, 5)


def get(site: str, task_id: str, query: str = "", **headers: str) -> requests.Response:
    return requests.get(f"http://{site}/chat/stream/{task_id}{query}", headers=headers, stream=True, timeout=10)


def events(response: requests.Response) -> list[dict[str, Any]]:
    """The frames of a stream up to its end; each has its number as the event's id."""
    found, number = [], ""
    for line in response.iter_lines():
        name, _, value = line.decode().partition(": ")
        if name == "id":
            number = value
        elif name == "data":
            found.append(msgspec.json.decode(value))
            assert number == str(found[-1]["seq"])
    return found


def test_curl_follows_a_task_to_its_end(site: str, publisher: FramePublisher, run: Run, bearer: dict[str, str]) -> None:
    command = [
        "curl",
        "-sN",
        "-H",
        f"Authorization: {bearer['Authorization']}",
        f"http://{site}/chat/stream/{run.task_id}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout
        assert curl.stdout.readline() == ": connected\n"
        assert curl.stdout.readline() == "\n"
        for number, stage in enumerate(("start", "order.placed", "equity.update", "done"), 1):
            say(publisher, run, stage)
            assert curl.stdout.readline() == f"id: {number}\n"
            assert f'"stage":"{stage}"' in curl.stdout.readline()
            assert curl.stdout.readline() == "\n"
        assert curl.wait(10) == 0


def test_a_stream_resumes_after_the_last_event(
    site: str, publisher: FramePublisher, run: Run, bearer: dict[str, str]
) -> None:
    for number in range(5):
        say(publisher, run, "order.placed", str(number))
    say(publisher, run, "error", "gone wrong")
    say(publisher, run, "done", "failed")
    for response in (
        get(site, run.task_id, "?after=4", **bearer),
        get(site, run.task_id, **bearer, **{"Last-Event-ID": "4"}),
    ):
        assert response.headers["Content-Type"] == "text/event-stream"
        assert [(frame["seq"], frame["stage"]) for frame in events(response)] == [
            (5, "order.placed"),
            (6, "error"),
            (7, "done"),
        ]


def test_a_task_that_has_ended_and_has_no_more_to_say_is_not_waited_for(
    site: str, publisher: FramePublisher, run: Run, bearer: dict[str, str]
) -> None:
    say(publisher, run, "done", "completed")
    Run.objects.filter(pk=run.id).update(status="completed")
    assert events(get(site, run.task_id, "?after=1", **bearer)) == []


def test_a_stream_is_for_those_who_may_read(site: str, run: Run, bearer: dict[str, str], cookie: str) -> None:
    for response, status, code in (
        (get(site, run.task_id), 401, "not_authenticated"),
        (get(site, run.task_id, Authorization="Bearer as_unknown"), 401, "invalid_token"),
        (get(site, "no-such-task", **bearer), 404, "not_found"),
        (get(site, run.task_id, "?after=x", **bearer), 422, "invalid"),
    ):
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["Content-Type"] == "application/problem+json"
    with closing(get(site, run.task_id, Cookie=cookie)) as response:
        assert response.status_code == 200


def test_a_socket_through_daphne_misses_nothing_across_a_reconnect(
    site: str, publisher: FramePublisher, run: Run, bearer: dict[str, str]
) -> None:
    seen: list[int] = []
    for _ in range(3):
        after = f"?after={seen[-1]}" if seen else ""
        with connect(f"ws://{site}/ws/paper/{run.id}{after}", additional_headers=bearer) as browser:
            for number in range(3):
                say(publisher, run, "order.placed", str(number))
                seen.append(msgspec.json.decode(browser.recv(timeout=5))["seq"])
        say(publisher, run, "order.placed", "while nobody listened")
    assert seen == list(range(1, 10))


def test_one_who_does_not_read_harms_nobody(
    site: str, publisher: FramePublisher, run: Run, bearer: dict[str, str]
) -> None:
    host, _, port = site.partition(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.sendall(
            f"GET /chat/stream/{run.task_id}?after=0 HTTP/1.1\r\nHost: {site}\r\n"
            f"Authorization: {bearer['Authorization']}\r\n\r\n".encode()
        )
        for number in range(2_000):
            publisher.publish(run.id, run.task_id, "order.placed", "x" * 5_000 + str(number))
        publisher.publish(run.id, run.task_id, "done", "completed")
        assert publisher.flush(run.id, 10)
        assert [frame["stage"] for frame in events(get(site, run.task_id, "?after=1999", **bearer))] == [
            "order.placed",
            "done",
        ]
    assert len(frames.read(run.id, limit=5_000)) == 2_001
