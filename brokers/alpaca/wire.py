"""Alpaca's client library, tamed: timeouts on every call, no retry of its own, errors named by the reaction they need.

The library repeats a POST after a 429 or 504 by itself and waits for ever for an answer; an order must see neither.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import requests
from alpaca.common.exceptions import APIError
from alpaca.data.live import StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream

from brokers.alpaca.terms import HINT, TIMEOUT, Refusal
from brokers.last_word import asking, mount
from brokers.pacing import RateLimit
from trading.engine.errors import Fatal, Transient, Unknown, VenueError

log = logging.getLogger(__name__)

_CLOSE_TRIES: Final = 20
_CLOSE_SECONDS: Final = 0.25


class Rest:
    """Calls of the trading API; answers are the JSON as it came."""

    def __init__(self, key: str, secret: str, paper: bool, url: str, limit: RateLimit) -> None:
        self._client = TradingClient(key, secret, paper=paper, raw_data=True, url_override=url or None)
        self._client._retry = 0
        mount(self._client._session)
        self._client._session.request = partial(self._client._session.request, timeout=TIMEOUT)  # type: ignore[method-assign]
        self._limit = limit
        self._client._session.hooks["response"].append(lambda answer, **_: self._limit.hear(answer.headers))

    def call(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        urgent: bool = False,
        let_go: Callable[[], None] | None = None,
    ) -> Any:
        """One request; raises `Rejected`, `Transient`, `Unknown` or `Fatal`.

        An ``urgent`` one does not wait for the limit. ``let_go`` is called right before it leaves, and may raise.
        """
        (self._limit.count if urgent else self._limit.wait)()
        changes = method in ("POST", "PATCH")
        try:
            with asking(let_go):
                return self._client._request(method, path, dict(data) if data is not None else None)
        except APIError as error:
            raise _error_of(error, changes) from error
        except requests.ConnectTimeout as error:
            raise Transient(f"alpaca cannot be reached: {error}") from error
        except (requests.RequestException, ValueError) as error:
            raise (Unknown if changes else Transient)(f"alpaca gave no answer that can be read: {error}") from error

    def close(self) -> None:
        self._client._session.close()


def _error_of(error: APIError, changes: bool) -> VenueError:
    status, text = error.status_code, str(error)
    try:
        body = json.loads(text)
        code, message = int(body.get("code", 0)), str(body.get("message", text))
    except (ValueError, TypeError, AttributeError):
        code, message = 0, text[:200]
    if status == 401:
        return Fatal(f"alpaca does not accept the credentials: {message} {HINT}")
    if status == 429:
        return Transient(f"alpaca asks for patience: {message}")
    if status >= 500:
        return (Unknown if changes else Transient)(f"alpaca answered {status}: {message}")
    return Refusal(code, message)


class Stream(TradingStream):
    """The account's order events in a thread of its own.

    ``on_up`` is called after every connection, so that what happened in between is asked for: the library loses it, and
    has no callback of its own for it.
    """

    def __init__(
        self, key: str, secret: str, paper: bool, url: str, on_event: Callable[[Any], None], on_up: Callable[[], None]
    ) -> None:
        super().__init__(key, secret, paper=paper, raw_data=True, url_override=url)
        self.up = False
        self._on_event = on_event
        self._on_up = on_up
        self._thread = threading.Thread(target=self._work, name="alpaca events", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self.subscribe_trade_updates(self._hear)

    def start(self) -> None:
        self._thread.start()

    def close_now(self) -> None:
        loop, task = self._loop, self._task
        # The library's waiting can swallow a cancellation that comes together with a message.
        for _ in range(_CLOSE_TRIES):
            if loop is not None and task is not None and loop.is_running():
                loop.call_soon_threadsafe(task.cancel)
            self._thread.join(_CLOSE_SECONDS)
            if not self._thread.is_alive():
                return

    def _work(self) -> None:
        try:
            asyncio.run(self._until_cancelled())
        except Exception:
            log.exception("alpaca's order events ended")
        finally:
            self.up = False

    async def _until_cancelled(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._run_forever()  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            if self._ws is not None:
                self._ws.transport.abort()

    async def _start_ws(self) -> None:
        await super()._start_ws()  # type: ignore[no-untyped-call]
        await asyncio.to_thread(self._on_up)
        self.up = True

    async def close(self) -> None:
        self.up = False
        await super().close()

    async def _hear(self, message: Any) -> None:
        try:
            self._on_event(message["data"])
        except Exception:
            # The library would swallow it, and the event with it; polling shows the order again.
            log.exception("an order event of alpaca could not be read: %r", message)


class BarStream(StockDataStream):
    """The market data socket.

    ``on_up`` is called after every connection, in a thread, since it asks by REST; ``on_down`` when it is lost.
    """

    def __init__(self, key: str, secret: str, url: str, on_up: Callable[[], None], on_down: Callable[[], None]) -> None:
        super().__init__(key, secret, raw_data=True, url_override=url)
        self.refused = ""
        self._on_up = on_up
        self._on_down = on_down

    async def _auth(self) -> None:
        try:
            await super()._auth()
        except ValueError as error:
            self.refused = str(error)
            raise

    async def _send_subscribe_msg(self) -> None:
        await super()._send_subscribe_msg()
        await asyncio.to_thread(self._on_up)

    async def close(self) -> None:
        self._on_down()
        await super().close()
