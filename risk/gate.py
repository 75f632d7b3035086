"""The order gate: the last look before an order leaves.

Reading costs about a microsecond, so it is done in the last instruction before each send. Whatever goes wrong on the
way from the kill switch to this file - a lost message, a dead database, a stopped gatekeeper - the reading grows old,
and an old reading lets nothing through.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import time
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from risk.gate_file import ENGAGED, FIELDS_SIZE, FLATTEN, RECORD_SIZE, SEED, unpack
from risk.halts import Halts, HaltsFile

#: A reading older than this lets no order through.
FRESH_MS: Final = 150.0
WAIT_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.005
_ATTEMPTS: Final = 5


class Verdict(StrEnum):
    OPEN = "open"
    ENGAGED = "engaged"
    STALE = "stale"


class GateReading(NamedTuple):
    """``epoch`` of the kill switch, whether it is ``engaged``, and how old that knowledge is, in milliseconds.

    ``flatten``: the kill asks for flat positions too. ``halts_epoch`` is that of the scoped halts, see
    `OrderGate.halts`. An unreadable file reads as not engaged and infinitely old. What is old says nothing about now,
    so ask `verdict` whether an order may leave.
    """

    epoch: int
    engaged: bool
    age_ms: float
    flatten: bool = False
    halts_epoch: int = 0

    @property
    def verdict(self) -> Verdict:
        if not 0.0 <= self.age_ms <= FRESH_MS:
            return Verdict.STALE
        return Verdict.ENGAGED if self.engaged else Verdict.OPEN


UNREADABLE: Final = GateReading(0, False, float("inf"), halts_epoch=-1)


class OrderGate:
    """The reading end of the gatekeeper's file. Cheap to make, needs no closing, may be shared by threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._halts_file = HaltsFile(path)
        self._halts: Halts | None = None
        self._map: mmap.mmap | None = None
        self._inode = 0

    def read(self) -> GateReading:
        reading = self._read()
        if reading.age_ms > FRESH_MS and self._remap():
            reading = self._read()
        return reading

    def verdict(self) -> Verdict:
        return self.read().verdict

    def halts(self) -> Halts | None:
        """The scoped halts that stand, None where they cannot be told: let nothing through then.

        Costs as little as `read` while they stay the same. Says nothing about whether the gate is stale.
        """
        epoch, known = self.read().halts_epoch, self._halts
        if known is None or known.epoch != epoch:
            known = self._halts = self._halts_file.read(epoch) if epoch >= 0 else None
        return known

    async def wait_open(self, timeout: float = WAIT_SECONDS) -> Verdict:  # noqa: ASYNC109
        """`OPEN` or `ENGAGED` at once; a stale gate is given ``timeout`` seconds to come back."""
        deadline = time.monotonic() + timeout
        # The file is another process's, so there is no event to wait for.
        while (verdict := self.verdict()) is Verdict.STALE and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        return verdict

    def wait_open_sync(self, timeout: float = WAIT_SECONDS) -> Verdict:
        """`wait_open` for a thread."""
        deadline = time.monotonic() + timeout
        while (verdict := self.verdict()) is Verdict.STALE and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return verdict

    def _read(self) -> GateReading:
        mapped = self._map
        if mapped is None:
            return UNREADABLE
        for _ in range(_ATTEMPTS):
            record = mapped[:RECORD_SIZE]
            epoch, state, halts_epoch, stamp, checksum = unpack(record)
            if crc32(record[:FIELDS_SIZE], SEED) == checksum:
                # The clock is read after the record, so that a record written meanwhile is not from the future.
                age_ms = (time.monotonic_ns() - stamp) / 1e6
                return GateReading(epoch, state & ENGAGED != 0, age_ms, state & FLATTEN != 0, halts_epoch)
        return UNREADABLE

    def _remap(self) -> bool:
        """Map the file anew if it is not the one that is mapped; whether it was."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False
        try:
            status = os.fstat(descriptor)
            if status.st_size != RECORD_SIZE or (self._map is not None and status.st_ino == self._inode):
                return False
            self._map = mmap.mmap(descriptor, RECORD_SIZE, prot=mmap.PROT_READ)
            self._inode = status.st_ino
            return True
        finally:
            os.close(descriptor)


@cache
def shared_gate(path: Path) -> OrderGate:
    """The reading end that all threads of this process share: each has a file open for as long as it is there."""
    return OrderGate(path)
