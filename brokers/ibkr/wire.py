"""ib_insync, the only place where it is imported: one thread with one event loop, called from outside.

The library works in the loop of the thread that imported it and in no other, so the thread imports it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from brokers.ibkr import mapping
from trading.engine.errors import Fatal, Transient, VenueError

if TYPE_CHECKING:
    from ib_insync import Contract, Order, Trade

__all__ = ["Contract", "IbThread", "Order", "Trade"]

log = logging.getLogger(__name__)

T = TypeVar("T")
CALL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 10.0
#: Of the messages that may leave in a second, those that orders leave to cancels.
FOR_CANCELS: Final = 15
_LOOK_SECONDS: Final = 0.01


class IbThread:
    """A thread that runs ``ib``'s loop until it is stopped."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        self._refused = ""
        self._greeting, self._greeted_at = b"", 0.0
        self._one = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._library: Any = self.call(self._load())
        self.ib: Any = self.call(self._make())

    def contract(self, **fields: Any) -> Contract:
        made: Contract = self._library.Contract(**fields)
        return made

    def order(self, **fields: Any) -> Order:
        made: Order = self._library.Order(**fields)
        return made

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _load(self) -> Any:
        import ib_insync

        return ib_insync

    async def _make(self) -> Any:
        ib = self._library.IB()
        ib.RaiseRequestErrors = True
        ib.errorEvent += self._on_error
        ib.client.conn.hasData += self._on_data
        return ib

    def _on_data(self, data: bytes) -> None:
        if not self._greeting:
            self._greeting, self._greeted_at = data, time.monotonic()

    def since_midnight(self) -> timedelta | None:
        """How long ago midnight was by the gateway's clock, in a zone of its own; None where it has not said so.

        The first frame of a connection has its date and time (`20260102 09:30:00 EST`), which the library drops.
        """
        try:
            told = self._greeting.split(b"\0")[-2].decode()
            hours, minutes, seconds = map(int, told[9:17].split(":"))
        except (IndexError, ValueError):
            return None
        ago = timedelta(hours=hours, minutes=minutes, seconds=seconds + time.monotonic() - self._greeted_at)
        return ago % timedelta(days=1)

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        if code == mapping.TAKEN_CLIENT_ID:
            self._refused = text

    async def connect(self, address: tuple[str, int, int], readonly: bool = False) -> None:
        """Connect to host, port and client id; raises `Fatal` or `Transient`."""
        host, port, client_id = address
        self._refused, self._greeting = "", b""
        attempt = asyncio.ensure_future(
            self.ib.connectAsync(host, port, client_id, timeout=CONNECT_SECONDS, readonly=readonly)
        )
        # The library waits its full timeout for a connection that was refused with an error.
        while not attempt.done() and not self._refused:
            await asyncio.wait([attempt], timeout=0.05)
        if self._refused:
            attempt.cancel()
            hint = "Set ALPHASWARM_IBKR_CLIENT_ID to a number of its own; the feed's is that number plus 100."
            raise Fatal(f"ibkr: client id {client_id} is in use by another program. {hint}")
        try:
            await attempt
        except (OSError, TimeoutError, ConnectionError) as error:
            said = error or type(error).__name__
            hint = "Start TWS or the gateway with its API on, and check ALPHASWARM_IBKR_HOST and ALPHASWARM_IBKR_PORT."
            raise Transient(f"ibkr cannot be reached at {host}:{port}: {said}. {hint}") from error

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question of which the library can keep but one at a time; raises `Transient`."""
        async with self._one:
            try:
                return await asyncio.wait_for(question(), CALL_SECONDS)
            except TimeoutError:
                raise Transient(f"ibkr did not answer within {CALL_SECONDS:g} s") from None

    async def room(self, messages: int) -> None:
        """Wait until so many messages for orders would leave at once: the library takes what is above its rate and
        sends it later, when nobody can hold it back any more."""
        while True:
            left = self._held_back(messages)
            if not left:
                return
            await asyncio.sleep(left)

    def _held_back(self, messages: int) -> float:
        """For how many seconds more the library would hold some of so many messages back."""
        client, now = self.ib.client, self.loop.time()
        ends = [at + client.RequestsInterval for at in client._timeQ if at + client.RequestsInterval > now]
        if not client._msgQ and len(ends) <= max(client.MaxRequests - FOR_CANCELS - messages, 0):
            return 0.0
        return max(min(ends, default=now) - now, _LOOK_SECONDS)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something in the loop that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def call(
        self, work: Coroutine[Any, Any, T], seconds: float = CALL_SECONDS, late: type[VenueError] = Transient
    ) -> T:
        """Await ``work`` in the loop; raises ``late`` when it takes longer than this."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise late(f"ibkr did not answer within {seconds:g} s") from None

    def soon(self, function: Callable[..., object], *args: object) -> None:
        self.loop.call_soon_threadsafe(function, *args)

    def stop(self) -> None:
        if self.loop.is_running():
            self.call(self._disconnect())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(CALL_SECONDS)
        if not self.loop.is_running():
            self.loop.close()

    async def _disconnect(self) -> None:
        self.ib.disconnect()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CALL_SECONDS / 2)
