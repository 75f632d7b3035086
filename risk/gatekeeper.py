"""The gatekeeper: one small process per host that keeps the gate file true.

It re-reads the kill switch's row every 50 ms, and at once on a NOTIFY, and writes what it read with the time at which
it asked; where the row says that the scoped halts have changed, it reads them and writes their file first. If the row
cannot be read, nothing is written and the gate grows stale by itself. It looks at the local kill file every few
milliseconds and writes "engaged" for as long as that is there, database or not.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple, TypeVar

import psycopg

from risk.gate_file import GateFile
from risk.halts import HaltsFile
from risk.kill_file import KillFile
from risk.kill_switch import CHANNEL

log = logging.getLogger(__name__)

REREAD_SECONDS: Final = 0.05
FILE_SECONDS: Final = 0.004
READ_LIMIT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = (0.05, 1.0)
#: Whoever wrote the kill file tells the database itself, as a rule; after this long the gatekeeper does it.
ABSORB_SECONDS: Final = 1.5

_READ: Final = "SELECT engaged, flatten, epoch, halts_epoch FROM kill_switch WHERE id = 1"
_READ_HALTS: Final = "SELECT scope, target, reason FROM risk_halts WHERE released_at IS NULL ORDER BY id"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Answer = TypeVar("Answer")


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
        self._halts = HaltsFile(gate.path)
        self._file = kill_file
        self._parameters = {**parameters, "connect_timeout": 2, "application_name": "alphaswarm gatekeeper"}
        self._absorb = absorb
        self._engaged = self._flatten = False
        self._epoch, self._halts_epoch = gate.epochs()
        self._by_file = self._file_flattens = False
        self._seen_mark = ""
        self._sightings = 0
        self._told: tuple[int, ...] | None = None
        self._away = ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_file())
            tasks.create_task(self._absorb_file())
            tasks.create_task(self._follow_row())

    async def _watch_file(self) -> None:
        """Close the gate as soon as there is a kill file. Opening it again is for the row alone, see `_take`."""
        while True:
            mark = self._file.mark()
            if mark is not None:
                self._sightings += 1
                self._by_file = True
                if mark != self._seen_mark:
                    order = self._file.read()
                    self._seen_mark, self._file_flattens = mark, order is not None and order.flatten
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
        row = await _limited(connection, _row(connection))
        if not self._halts.holds(row.halts_epoch):
            # As they are now, which is as of this epoch or of a later one that the next reading tells.
            self._halts.write(row.halts_epoch, await _limited(connection, _rows(connection, _READ_HALTS)))
        self._engaged, self._flatten, self._halts_epoch = row.engaged, row.flatten, row.halts_epoch
        self._epoch = max(self._epoch, row.epoch)
        # The file goes only after its engagement is committed, so a row that was asked for later knows of it.
        if file_was_gone and sightings == self._sightings:
            self._by_file = False
        self._note_back()
        self._write(asked_at)

    def _write(self, stamp: int) -> None:
        engaged = self._engaged or self._by_file
        # A kill that only the file knows of will get the next epoch; saying so now lets one kill be one change.
        epoch = self._epoch if self._engaged or not self._by_file else self._epoch + 1
        flatten = (self._engaged and self._flatten) or (self._by_file and self._file_flattens)
        self._gate.write(epoch, engaged, stamp, flatten=flatten, halts_epoch=self._halts_epoch)
        if self._told != (epoch, engaged, flatten, self._halts_epoch):
            self._told = (epoch, engaged, flatten, self._halts_epoch)
            said = "closed: kill switch engaged" + (", flattening" if flatten else "") if engaged else "open"
            log.info("gate %s, epoch %d, halts %d", said, epoch, self._halts_epoch)

    def _note_away(self, reason: str) -> None:
        if reason != self._away:
            log.error("the kill switch cannot be read, so the gate closes: %s", reason)
            self._away = reason

    def _note_back(self) -> None:
        if self._away:
            log.info("the kill switch can be read again")
            self._away = ""


class _Row(NamedTuple):
    engaged: bool
    flatten: bool
    epoch: int
    halts_epoch: int


async def _limited(connection: Connection, asking: Coroutine[Any, Any, Answer]) -> Answer:
    """An answer. A server that does not give it in time is cut off, since a polite cancel would wait for it too."""
    asked = asyncio.ensure_future(asking)
    try:
        done, _ = await asyncio.wait({asked}, timeout=READ_LIMIT_SECONDS)
        if not done:
            _cut(connection)
        return await asked
    finally:
        asked.cancel()


async def _rows(connection: Connection, query: LiteralString) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query)).fetchall()


async def _row(connection: Connection) -> _Row:
    rows = await _rows(connection, _READ)
    if not rows:
        raise psycopg.DataError("the kill switch has no row; run the migrations")
    return _Row(*rows[0])


def _cut(connection: Connection) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
