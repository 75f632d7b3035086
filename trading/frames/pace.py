"""How fast one browser is served."""

from __future__ import annotations

import asyncio
import time

BURST_BYTES = 2_000_000
BYTES_PER_SECOND = 128_000


class Pace:
    """Lets 2 MB pass at once and 128 kB a second after that.

    daphne takes whatever it is given into memory, however slowly the other side reads; it drops a socket whose pongs
    stay away. Up to then the pace is what bounds the memory of a connection. Nobody else waits for it: a follower
    that falls behind is moved on to what the stream still keeps.
    """

    def __init__(self) -> None:
        self._left = float(BURST_BYTES)
        self._at = time.monotonic()

    async def spend(self, size: int) -> None:
        """Wait until ``size`` bytes may be sent."""
        now = time.monotonic()
        self._left = min(BURST_BYTES, self._left + (now - self._at) * BYTES_PER_SECOND) - size
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / BYTES_PER_SECOND)
