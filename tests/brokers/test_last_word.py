"""What a kill stops at the last moment: a request whose bytes have not left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from brokers import last_word
from trading.engine.errors import Withheld


class Listener:
    """Takes connections on loopback, keeps what comes in, and answers each request with 200."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            self.heard += data
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        last_word.mount(one)
        yield one


def refuse() -> None:
    raise Withheld("not any more")


def test_a_request_that_is_refused_at_the_last_moment_sends_no_byte(
    listener: Listener, session: requests.Session
) -> None:
    with last_word.asking(refuse), pytest.raises(Withheld):
        session.post(listener.url, json={"qty": 1}, timeout=5)
    assert session.get(listener.url, timeout=5).ok
    assert b"POST" not in listener.heard


def test_the_question_is_asked_of_a_connection_that_is_open_with_nothing_left_to_do(
    listener: Listener, session: requests.Session
) -> None:
    heard_when_asked = []
    with last_word.asking(lambda: heard_when_asked.append(bytes(listener.heard))):
        assert session.post(listener.url, json={"qty": 1}, timeout=5).ok
    assert heard_when_asked == [b""]
    assert listener.heard.endswith(b'\r\n\r\n{"qty": 1}')


def test_each_request_of_a_block_is_asked_about_and_none_after_it(
    listener: Listener, session: requests.Session
) -> None:
    asked = []
    with last_word.asking(lambda: asked.append(1)):
        session.post(listener.url, json={}, timeout=5)
        session.post(listener.url, json={}, timeout=5)
    session.post(listener.url, json={}, timeout=5)
    assert len(asked) == 2
