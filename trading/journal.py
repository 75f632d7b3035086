"""From the engine to the world: a run's records go to the ledger, to the browser and into the hash, in one order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from trading import failpoints
from trading.engine.bars import Bar
from trading.engine.records import Record
from trading.lease import Lease
from trading.ledger import Append, Chunk, LedgerWriter
from trading.recovery import Recovered
from trading.show import Show

log = logging.getLogger(__name__)

#: Appends of one run that may wait for the database.
MOST_POSTED = 256
#: How long a run lets others go first that have more urgent things to write.
OTHERS_SECONDS = 0.5
GATHER_SECONDS = 0.1
#: A bar that no fact comes of is kept after so long.
KEEP_SECONDS: Final = 2.0


class Journal:
    """What a run has still to write, after what it has written already.

    `commit` waits until everything so far is durable; `post` does not wait, and a failure of it is told to
    ``on_failure`` from the writer's thread.
    """

    def __init__(
        self,
        lease: Lease,
        start: Recovered,
        writer: LedgerWriter,
        show: Show,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._lease = lease
        self._engine = start.engine
        self._writer = writer
        self._show = show
        self._on_failure = on_failure
        self._hash = start.hash
        self._points = start.points
        self._state: dict[str, Any] | None = None
        self._bars: list[Bar] = []
        self._seen: list[int] = []
        self._marks: list[int] = []
        self._first_bar = start.bars
        self._keeping: asyncio.TimerHandle | None = None
        self._due = False
        self._posted: deque[Future[int]] = deque()
        self._last: Future[int] | None = None

    @property
    def ledger_hash(self) -> str:
        return self._hash.hexdigest()

    def record(self, record: Record) -> None:
        """Add a fact that the engine does not know of, such as a change of the run's status."""
        self._engine.records.append(record)

    def see(self, bar: Bar) -> None:
        """Note a bar and its place, to be kept with the first facts that come after it."""
        self._bars.append(bar)
        self._seen.append(len(self._engine.records))

    def look(self) -> None:
        """Note the place at which the run is looked at after a bar."""
        self._marks.append(len(self._engine.records))

    def mark(self, time: int, equity: Decimal, cash: Decimal) -> None:
        """Note the equity at the end of a bar; of several bars with one stamp, the last counts."""
        if self._points and self._points[-1][0] == time:
            self._points.pop()
        self._points.append((time, equity, cash))

    def save_state(self, state: dict[str, Any]) -> None:
        """Let ``state`` be written with the next append, and the equity noted so far."""
        self._state = state

    def post(self) -> None:
        """Hand everything so far to the writer."""
        future = self._append(final=False)
        if future is not None:
            self._posted.append(future)
            future.add_done_callback(self._check)

    async def keep_up(self) -> None:
        """Wait while too much is posted and not yet written, so that no run outgrows the memory of its process."""
        while self._posted and self._posted[0].done():
            self._posted.popleft()
        if len(self._posted) > MOST_POSTED:
            # Of a failure `_check` tells.
            with suppress(Exception):
                await asyncio.wrap_future(self._posted[0])

    async def commit(self, final: bool = False) -> None:
        """Wait until everything so far is in the ledger; raises what the writer raises, e.g. a lost lease."""
        self._append(final)
        if self._last is not None:
            await asyncio.wrap_future(self._last)

    def gather(self) -> None:
        """Have what the runs of this process are about to write at once written together; safe from any thread."""
        self._writer.gather(GATHER_SECONDS)

    async def others(self) -> None:
        """Wait a moment until all that other runs of this process have posted by now is written too."""
        newest = self._writer.newest()
        if newest is not None:
            # Of a failure its own run is told.
            with suppress(Exception):
                await asyncio.wait_for(asyncio.wrap_future(newest), OTHERS_SECONDS)

    def _append(self, final: bool) -> Future[int] | None:
        records = self._engine.records[:]
        self._engine.records.clear()
        for record in records:
            failpoints.reach("before-", record.kind)
            self._hash.add(record)
        self._show.facts(records)
        points: list[tuple[int, Decimal, Decimal]] = []
        if self._state is not None or final:
            # The last stamp may still get another symbol's bar, so it waits, except at the end.
            kept = 0 if final else 1
            points = self._points[: len(self._points) - kept]
            del self._points[: len(points)]
        state, self._state = self._state, None
        due, self._due = self._due and bool(self._bars), False
        if not records and not points and state is None and not due:
            if self._bars and self._keeping is None:
                self._keeping = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._keep)
            return None
        append = Append(self._lease.run_id, self._lease.token, records, points, state, bars=self._chunk())
        self._last = self._writer.append(append)
        return self._last

    def _keep(self) -> None:
        """Keep what was seen by now, though nothing came of it."""
        self._keeping = None
        self._due = True
        self.post()

    def _chunk(self) -> Chunk | None:
        if not self._bars and not self._marks:
            return None
        chunk = Chunk(self._first_bar, self._bars, self._seen, self._marks)
        self._first_bar += len(self._bars)
        self._bars, self._seen, self._marks = [], [], []
        return chunk

    def _check(self, future: Future[int]) -> None:
        error = future.exception()
        if error is not None:
            self._on_failure(error if isinstance(error, Exception) else RuntimeError(str(error)))
