"""The gatekeeper: one small process per host that keeps the gate file true.

It re-reads the kill switch's row every 50 ms, and at once on a NOTIFY, and writes what it read with the time at which
it asked. If the row cannot be read, nothing is written and the gate grows stale by itself. It looks at the local kill
file every few milliseconds and writes "engaged" for as long as that is there, database or not.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from risk.gate_file import GateFile
from risk.kill_file import KillFile
from risk.kill_switch import CHANNEL

log = logging.getLogger(__name__)

REREAD_SECONDS: Final = 0.05
FILE_SECONDS: Final = 0.004
READ_LIMIT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = (0.05, 1.0)
#: Whoever wrote the kill file tells the database itself, as a rule; after this long the gatekeeper does it.
ABSORB_SECONDS: Final = 1.5

_READ: Final = "SELECT engaged, epoch FROM kill_switch WHERE id = 1"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class AlreadyRunning(Exception):
    """Another gatekeeper keeps this host's gate."""


@contextmanager
def sole(gate: Path) -> Iterator[None]:
    """Be the only gatekeeper of this gate while inside; raises `AlreadyRunning`. A killed one leaves no trace."""
    with gate.with_name("gatekeeper.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(f"process {lock.read().strip()} already keeps {gate}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


class Gatekeeper:
    """Keeps ``gate`` true until cancelled.

    ``parameters`` are psycopg's connection parameters; ``absorb`` engages the row on behalf of the kill file and is
    called in a thread.
    """

    def __init__(
        self, gate: GateFile, kill_file: KillFile, parameters: Mapping[str, Any], absorb: Callable[[], object]
    ) -> None:
        self._gate = gate
        self._file = kill_file
        self._parameters = {**parameters, "connect_timeout": 2, "application_name": "alphaswarm gatekeeper"}
        self._absorb = absorb
        self._engaged = False
        self._epoch = gate.epoch()
        self._by_file = False
        self._sightings = 0
        self._told: tuple[int, bool] | None = None
        self._away = ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_file())
            tasks.create_task(self._absorb_file())
            tasks.create_task(self._follow_row())

    async def _watch_file(self) -> None:
        """Close the gate as soon as there is a kill file. Opening it again is for the row alone, see `_take`."""
        while True:
            if self._file.mark() is not None:
                self._sightings += 1
                self._by_file = True
                self._write(time.monotonic_ns())
            await asyncio.sleep(FILE_SECONDS)

    async def _absorb_file(self) -> None:
        """Make a kill durable that nobody else has carried into the database."""
        while True:
            mark = self._file.mark()
            await asyncio.sleep(ABSORB_SECONDS)
            if mark is None or self._file.mark() != mark:
                continue
            try:
                await asyncio.to_thread(self._absorb)
            except Exception as error:
                log.warning("the kill file is not in the database yet: %s", _line(error))

    async def _follow_row(self) -> None:
        """Read the row for ever, over as many connections as that takes."""
        pause = RETRY_SECONDS[0]
        while True:
            try:
                async with self._connection() as connection:
                    while True:
                        await self._take(connection)
                        pause = RETRY_SECONDS[0]
                        async for _ in connection.notifies(timeout=REREAD_SECONDS, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as error:
                self._note_away(_line(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS[1])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection: Connection = await psycopg.AsyncConnection.connect(**self._parameters, autocommit=True)
        try:
            await connection.execute(f"LISTEN {CHANNEL}")
            yield connection
        finally:
            await connection.close()

    async def _take(self, connection: Connection) -> None:
        """Read the row and write it to the gate, true as of the moment at which it was asked for."""
        file_was_gone = self._file.mark() is None
        sightings = self._sightings
        asked_at = time.monotonic_ns()
        self._engaged, epoch = await _read(connection)
        self._epoch = max(self._epoch, epoch)
        # The file goes only after its engagement is committed, so a row that was asked for later knows of it.
        if file_was_gone and sightings == self._sightings:
            self._by_file = False
        self._note_back()
        self._write(asked_at)

    def _write(self, stamp: int) -> None:
        engaged = self._engaged or self._by_file
        # A kill that only the file knows of will get the next epoch; saying so now lets one kill be one change.
        epoch = self._epoch if self._engaged or not self._by_file else self._epoch + 1
        self._gate.write(epoch, engaged, stamp)
        if self._told != (epoch, engaged):
            self._told = (epoch, engaged)
            log.info("gate %s, epoch %d", "closed: kill switch engaged" if engaged else "open", epoch)

    def _note_away(self, reason: str) -> None:
        if reason != self._away:
            log.error("the kill switch cannot be read, so the gate closes: %s", reason)
            self._away = reason

    def _note_back(self) -> None:
        if self._away:
            log.info("the kill switch can be read again")
            self._away = ""


async def _read(connection: Connection) -> tuple[bool, int]:
    """The row. A server that does not answer in time is cut off, since a polite cancel would wait for it too."""
    asked = asyncio.ensure_future(_fetch(connection))
    try:
        done, _ = await asyncio.wait({asked}, timeout=READ_LIMIT_SECONDS)
        if not done:
            _cut(connection)
        return await asked
    finally:
        asked.cancel()


async def _fetch(connection: Connection) -> tuple[bool, int]:
    row = await (await connection.execute(_READ)).fetchone()
    if row is None:
        raise psycopg.DataError("the kill switch has no row; run the migrations")
    return bool(row[0]), int(row[1])


def _cut(connection: Connection) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
