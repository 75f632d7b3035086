"""A session's connection to Interactive Brokers: looked along all the time, and made again by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from brokers.ibkr import mapping
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread

log = logging.getLogger(__name__)

_BACKOFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
#: Without a good look for so long, the venue's word on orders counts as missing: a gateway may hang and stay connected.
STALE_SECONDS: Final = 5.0


class Line:
    """``look`` takes what the venue shows: all of it after each connection, before updates count as flowing, and then
    what is needed every ``poll_seconds``. ``check`` raises `Fatal` for a connection that is to nobody's liking.

    The gateway stays connected to us while it has lost the venue (1100), and says when it is back (1101, 1102).
    """

    def __init__(
        self,
        wire: IbThread,
        address: tuple[str, int, int],
        poll_seconds: float,
        *,
        check: Callable[[], None],
        look: Callable[[bool], Awaitable[None]],
        came_up: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._address = address
        self._poll_seconds = poll_seconds
        self._check = check
        self._look = look
        self._came_up = came_up
        self._cut = False
        self._seen_at = -STALE_SECONDS

    @property
    def up(self) -> bool:
        """Whether the venue shows its orders."""
        return time.monotonic() - self._seen_at < STALE_SECONDS

    def down(self) -> None:
        """What is shown from now on counts once all of it was looked at again."""
        self._seen_at = -STALE_SECONDS

    async def begin(self) -> None:
        """Raises `Fatal` or `Transient`."""
        self._wire.ib.errorEvent += self._on_error
        self._wire.ib.disconnectedEvent += self.down
        await self._connect()
        self._wire.later(self._keep())

    async def _connect(self) -> None:
        await self._wire.connect(self._address)
        self._cut = False
        self._check()
        await self._see()

    async def _see(self) -> None:
        """Look; what has been shown counts only while the gateway itself is connected to the venue."""
        was_up = self.up
        await asyncio.wait_for(self._look(not was_up), CONNECT_SECONDS)
        if self._cut:
            return
        if was_up and not self.up:
            # It went down meanwhile, and something may have been missed.
            await self._see()
            return
        self._seen_at = time.monotonic()
        if not was_up:
            self._came_up()

    async def _keep(self) -> None:
        """Poll while the connection is up; connect again, ever more slowly, while it is not."""
        tries = 0
        while True:
            connected = self._wire.ib.isConnected()
            await asyncio.sleep(self._poll_seconds if connected else _BACKOFF[min(tries, len(_BACKOFF) - 1)])
            try:
                if self._wire.ib.isConnected():
                    await self._see()
                    tries = 0
                else:
                    tries += 1
                    await self._connect()
            except Exception as error:
                log.warning("ibkr does not show its orders: %s", error or type(error).__name__)

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        if code in mapping.CONNECTION_LOST:
            self._cut = True
            self.down()
        elif code in mapping.CONNECTION_BACK:
            self._cut = False
            self._wire.later(self._back())

    async def _back(self) -> None:
        try:
            await self._see()
        except Exception as error:
            log.warning("ibkr is back and does not show its orders: %s", error or type(error).__name__)
