"""The last word on a request: asked when all of it is made and nothing is left to do but to write it to its socket.

A busy process may let a tenth of a second pass between a call of `requests` and the first byte on its way, and a kill
must stop what has not left. `mount` puts the transport that asks below a session; `asking` names the question for the
calls of a block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_here = threading.local()


@contextmanager
def asking(question: Callable[[], None] | None) -> Iterator[None]:
    """Have ``question`` called right before each request that this thread sends in the block; where it raises, nothing
    is sent, and the error comes out of the call."""
    before, _here.question = getattr(_here, "question", None), question
    try:
        yield
    finally:
        _here.question = before


class _Asking(HTTPConnection):
    """Sends headers and body in one piece, once the question was asked."""

    _held: list[bytes] | None = None

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    def request(self, *args: Any, **kwargs: Any) -> None:
        question = getattr(_here, "question", None)
        if question is None:
            super().request(*args, **kwargs)
            return
        if self.sock is None:
            self.connect()
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **kwargs)
        finally:
            self._held = None
        question()
        self.send(b"".join(held))


class _AskingSafely(_Asking, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Asking


class _SafePool(HTTPSConnectionPool):
    ConnectionCls = _AskingSafely


class Transport(HTTPAdapter):
    """The transport of `requests`, whose connections ask."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SafePool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SafePool}
        return manager


def mount(session: requests.Session) -> None:
    """Have a session's requests ask."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, Transport())
