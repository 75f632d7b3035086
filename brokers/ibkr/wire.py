"""ib_insync, the only place where it is imported: one thread with one event loop, called from outside.

The library works in the loop of the thread that made it and in no other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from ib_insync import IB, Contract, Order, Trade

from trading.engine.errors import Transient

__all__ = ["Contract", "IbThread", "Order", "Trade"]

log = logging.getLogger(__name__)

T = TypeVar("T")
CALL_SECONDS: Final = 10.0


class IbThread:
    """A thread that runs ``ib``'s loop until it is stopped."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        self.ib: IB = self.call(self._make())

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _make(self) -> IB:
        ib = IB()  # type: ignore[no-untyped-call]
        ib.RaiseRequestErrors = True
        return ib

    def call(self, work: Coroutine[Any, Any, T], seconds: float = CALL_SECONDS) -> T:
        """Await ``work`` in the loop; raises `Transient` when it takes longer than this."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise Transient(f"ibkr did not answer within {seconds:g} s") from None

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
        self.ib.disconnect()  # type: ignore[no-untyped-call]
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
