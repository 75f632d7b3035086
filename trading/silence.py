"""A live feed that tells nothing, although a market is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.calendars import calendar_of
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.portfolio import ZERO
from trading.engine.records import Kind, Record

#: A timer may be early by the grain of its clock.
_GRAIN: Final = 0.01


class Silence:
    """Wakes a session whose feed has been silent for as long as its risk rules allow, and then tells these.

    Silence is measured by the machine's monotonic clock, so that a clock that is set does not matter, and counts while
    the market of any of the run's instruments is open; ``now`` tells the time of day (ns, UTC) for that. Where
    ``listens`` is false, as in event time, or the rules set no limit, it never does anything.
    """

    def __init__(self, engine: Engine, wake: asyncio.Event, now: Callable[[], int], *, listens: bool) -> None:
        self._engine = engine
        self._limit = engine.agent.silence if listens else None
        self._wake = wake
        self._now = now
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self) -> None:
        """A bar has come, or they may come from now on."""
        self._heard = time.monotonic()
        self._wait()

    def effects(self) -> Sequence[Effect]:
        """What the run's risk rules want now; that they were told is recorded, so that a replay tells them again."""
        engine = self._engine
        if self._limit is None or engine.refusing or engine.reducing is not None:
            return ()
        seconds = self._seconds()
        if seconds <= self._limit:
            return ()
        data = {"num_bars": engine.bars, "seconds": str(seconds)}
        engine.records.append(Record(Kind.FEED_SILENT, self._now(), data=data))
        return engine.agent.on_silence(engine, seconds)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _seconds(self) -> Decimal:
        """For how long nothing has come while a market was open all the time; zero where none was."""
        silent = time.monotonic() - self._heard
        now = self._now()
        since = now - int(silent * NANOS_PER_SECOND)
        calendars = map(calendar_of, {self._engine.instrument(symbol).calendar for symbol in self._engine.universe})
        if any(one.is_open(since, since) and one.close_after(since) > now for one in calendars):
            return round(Decimal(silent), 3)
        return ZERO

    def _wait(self) -> None:
        self.close()
        if self._limit is not None:
            self._timer = asyncio.get_running_loop().call_later(float(self._limit) + _GRAIN, self._due)

    def _due(self) -> None:
        self._wake.set()
        self._wait()
