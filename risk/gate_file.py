"""The memory-mapped file in which the gatekeeper says, some twenty times a second, whether orders may leave.

One record: the kill switch's epoch and state (`ENGAGED`, `FLATTEN`), the epoch of the scoped halts (`risk.halts`),
CLOCK_MONOTONIC in nanoseconds of the moment for which this is known to be true, and a checksum over the four. The
checksum starts from the machine's boot id, so that a torn read, a foreign file and a file left from before a reboot
(whose clock means nothing any more) are all the same: unreadable.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Final
from zlib import crc32

_FIELDS: Final = struct.Struct("<qqqq")
_RECORD: Final = struct.Struct("<qqqqI")
FIELDS_SIZE: Final = _FIELDS.size
RECORD_SIZE: Final = _RECORD.size
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SEED: Final = crc32(b"alphaswarm gate 2 " + (_BOOT_ID.read_bytes() if _BOOT_ID.exists() else b""))

#: Bits of the state.
ENGAGED: Final = 1
FLATTEN: Final = 2

unpack = _RECORD.unpack


class GateFile:
    """The writing end; the gatekeeper alone holds one.

    An existing file of the right size is written in place, since others have it mapped; a new one appears whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists() or path.stat().st_size != RECORD_SIZE:
            self._make()
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), RECORD_SIZE)

    def _make(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_bytes(bytes(RECORD_SIZE))
        draft.chmod(0o644)
        draft.replace(self.path)

    def epochs(self) -> tuple[int, int]:
        """The epochs of the switch and of the halts that were written last, zeros if none were."""
        epoch, state, halts_epoch, stamp, checksum = unpack(self._map[:RECORD_SIZE])
        is_record = checksum == crc32(_FIELDS.pack(epoch, state, halts_epoch, stamp), SEED)
        return (int(epoch), int(halts_epoch)) if is_record else (0, 0)

    def write(self, epoch: int, engaged: bool, stamp: int, *, flatten: bool = False, halts_epoch: int = 0) -> None:
        """Say that orders may leave (or not), as known at ``stamp`` (CLOCK_MONOTONIC, nanoseconds)."""
        state = (ENGAGED if engaged else 0) | (FLATTEN if engaged and flatten else 0)
        fields = _FIELDS.pack(epoch, state, halts_epoch, stamp)
        self._map[:RECORD_SIZE] = fields + crc32(fields, SEED).to_bytes(4, "little")

    def close(self) -> None:
        self._map.close()
