import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections

from access.models import ApiToken
from alphaswarm_site.asgi import application
from trading.frames.publishing import FramePublisher
from trading.models import Run

HOST = b"localhost:8000"


@pytest.fixture(autouse=True)
async def no_connection_left(transactional_db: None) -> AsyncIterator[None]:
    """The threads that ask the database for a socket keep their connections, which the test database cannot outlive."""
    yield
    await sync_to_async(connections.close_all)()


@asynccontextmanager
async def connected(path: str, **headers: str) -> AsyncIterator[WebsocketCommunicator]:
    raw = [(b"host", HOST), *((name.encode(), value.encode()) for name, value in headers.items())]
    socket = WebsocketCommunicator(application, path, headers=raw)
    accepted, _ = await socket.connect(timeout=5)
    assert accepted
    try:
        yield socket
    finally:
        await socket.disconnect()


async def close_code(path: str, **headers: str) -> int:
    async with connected(path, **headers) as socket:
        message = await socket.receive_output(timeout=5)
        assert message["type"] == "websocket.close"
        return message["code"]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def said(publisher: FramePublisher, run: Run, *frames: tuple[str, str]) -> None:
    for stage, message in frames:
        publisher.publish(run.id, run.task_id, stage, message)
    await asyncio.to_thread(publisher.flush, run.id, 5)


async def receive(socket: WebsocketCommunicator, count: int) -> list[dict[str, Any]]:
    return [await socket.receive_json_from(timeout=5) for _ in range(count)]


async def test_a_script_follows_a_run_by_its_token(publisher: FramePublisher, run: Run, token: str) -> None:
    await said(publisher, run, ("start", "running"))
    async with connected(f"/ws/paper/{run.id}", **bearer(token)) as socket:
        await said(publisher, run, ("order.placed", "buy"), ("equity.update", "1"), ("done", "completed"))
        seen = await receive(socket, 4)
    assert [(frame["seq"], frame["stage"]) for frame in seen] == [
        (1, "start"),
        (2, "order.placed"),
        (3, "equity.update"),
        (4, "done"),
    ]
    assert all(frame["task_id"] == run.task_id for frame in seen)


async def test_a_browser_follows_a_run_by_its_cookie(publisher: FramePublisher, run: Run, cookie: str) -> None:
    await said(publisher, run, ("start", "running"))
    async with connected(f"/ws/paper/{run.id}", cookie=cookie, origin=f"http://{HOST.decode()}") as socket:
        assert [frame["stage"] for frame in await receive(socket, 1)] == ["start"]


async def test_who_reconnects_gets_what_came_after(publisher: FramePublisher, run: Run, token: str) -> None:
    await said(publisher, run, *(("order.placed", str(number)) for number in range(10)))
    async with connected(f"/ws/paper/{run.id}?after=7", **bearer(token)) as socket:
        assert [frame["seq"] for frame in await receive(socket, 3)] == [8, 9, 10]


async def test_sockets_are_closed_to_whom_they_do_not_concern(run: Run, cookie: str, token: str) -> None:
    own = f"http://{HOST.decode()}"
    for path in (f"/ws/paper/{run.id}", "/ws/portfolio"):
        assert await close_code(path, origin=own) == 4401
        assert await close_code(path, **bearer("as_unknown")) == 4401
        assert await close_code(path, cookie=cookie) == 4403
        assert await close_code(path, cookie=cookie, origin="https://evil.example") == 4403
        assert await close_code(path, cookie=cookie, origin="http://localhost:9000") == 4403
    assert await close_code(f"/ws/paper/{uuid4()}", **bearer(token)) == 4404
    assert await close_code("/ws/paper/1%20or%201", **bearer(token)) == 4404
    assert await close_code("/ws/elsewhere", **bearer(token)) == 4404
    assert await close_code(f"/ws/paper/{run.id}?after=-1", **bearer(token)) == 4422


async def test_a_revoked_token_is_noticed_while_connected(
    publisher: FramePublisher, run: Run, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.consumers.RECHECK_SECONDS", 0.0)
    await said(publisher, run, ("start", "running"))
    async with connected(f"/ws/paper/{run.id}", **bearer(token)) as socket:
        await receive(socket, 1)
        await database_sync_to_async(ApiToken.objects.all().delete)()
        assert (await socket.receive_output(timeout=5))["code"] == 4401


async def test_the_portfolio_is_told_when_it_changes(run: Run, token: str) -> None:
    async with connected("/ws/portfolio", **bearer(token)) as socket:
        (first,) = await receive(socket, 1)
        assert (first["stage"], first["seq"]) == ("portfolio", 1)
        assert [account["status"] for account in first["portfolio"]["accounts"]] == ["queued"]
        await database_sync_to_async(Run.objects.filter(pk=run.id).update)(status="running")
        (second,) = await receive(socket, 1)
        assert (second["stage"], second["seq"]) == ("portfolio", 2)
        assert [account["status"] for account in second["portfolio"]["accounts"]] == ["running"]


async def test_the_portfolio_hears_of_every_runs_ends_and_halts(
    publisher: FramePublisher, run: Run, token: str
) -> None:
    async with connected("/ws/portfolio", **bearer(token)) as socket:
        await receive(socket, 1)
        await said(publisher, run, ("order.placed", "buy"), ("risk.halted", "too much"), ("done", "halted"))
        seen = [frame for frame in await receive(socket, 2) if frame["stage"] != "portfolio"]
    assert [(frame["run_id"], frame["seq"], frame["stage"]) for frame in seen] == [
        (str(run.id), 2, "risk.halted"),
        (str(run.id), 3, "done"),
    ]


async def test_a_greedy_socket_is_paced_and_others_are_not(
    publisher: FramePublisher, run: Run, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.frames.pace.BURST_BYTES", 3_000)
    await said(publisher, run, *(("order.placed", "x" * 10_000) for _ in range(40)))
    async with connected(f"/ws/paper/{run.id}?after=0", **bearer(token)) as greedy:
        await receive(greedy, 1)
        async with connected(f"/ws/paper/{run.id}?after=39", **bearer(token)) as other:
            assert [frame["seq"] for frame in await receive(other, 1)] == [40]
        assert [frame["seq"] for frame in await receive(greedy, 3)] == [2, 3, 4]
        assert greedy.output_queue.empty()
