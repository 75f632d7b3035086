"""Sessions of one process that share an account ask its venue once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

import pytest
from aiohttp import web

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.asked_once import SHARED, asked_once
from tests.brokers.test_made_up import MeadowBrokerage
from tests.risk.waiting import eventually
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.meadow import TOKEN, MeadowStub
from tests.venues.serving import Handler, Stub, serving
from trading.engine.errors import Transient

PAUSE: Final = 0.3


def test_who_asks_while_another_one_does_waits_for_its_answer() -> None:
    asked, may_answer = [], threading.Event()

    def ask() -> str:
        asked.append(1)
        assert may_answer.wait(10)
        return "three orders"

    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(asked_once, ("one account", "/orders"), 60, ask) for _ in range(4)]
        may_answer.set()
        assert {answer.result(10) for answer in answers} == {"three orders"}
    assert len(asked) == 1


def test_an_error_is_everybodys() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise Transient("not now")

    for _ in range(2):
        with pytest.raises(Transient, match="not now"):
            asked_once(("another account", "/orders"), 60, ask)
    assert len(asked) == 1


def test_what_is_too_old_is_asked_anew() -> None:
    numbers = iter(range(10))
    assert [asked_once("a third account", 0, lambda: next(numbers)) for _ in range(3)] == [0, 1, 2]


def test_other_accounts_and_other_questions_are_asked_for_themselves() -> None:
    numbers = iter(range(10))
    questions = [("a", "/orders"), ("b", "/orders"), ("a", "/positions"), ("a", "/orders")]
    assert [asked_once(one, 60, lambda: next(numbers)) for one in questions] == [0, 1, 2, 0]


def alpaca(stub: Stub) -> AlpacaBrokerage:
    urls = {"base_url": stub.url, "stream_url": f"{stub.socket_url}/stream"}
    return AlpacaBrokerage(KEY, SECRET, poll_seconds=PAUSE, **urls)


def made_up(stub: Stub) -> MeadowBrokerage:
    return MeadowBrokerage(TOKEN, f"{stub.url}/v9", poll_seconds=PAUSE)


@pytest.mark.parametrize(
    ("stub", "make", "lists"), [(AlpacaStub(), alpaca, 2), (MeadowStub(), made_up, 1)], ids=["alpaca", "made up"]
)
def test_five_sessions_of_one_account_look_at_its_orders_as_often_as_one(
    stub: Stub, make: Callable[[Stub], Any], lists: int
) -> None:
    calls: list[str] = []

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        calls.append(f"{request.method} {request.path}")
        return await handler(request)

    stub.app.middlewares.append(count)
    with ExitStack() as held:
        held.enter_context(serving(stub))
        sessions = [make(stub) for _ in range(5)]
        for session in sessions:
            session.connect()
            held.callback(session.close)
        calls.clear()
        began = time.monotonic()
        eventually(lambda: len(calls) >= 4 * lists)
        passed = time.monotonic() - began
    assert set(calls[: 4 * lists]) <= {"GET /v2/orders", "GET /v9/tickets"}
    assert passed >= 2 * PAUSE * SHARED
