"""Rows that were read and checked once, kept for as often as they are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import Final

import numpy as np

from trading.feeds.base import FeedError
from trading.feeds.tables import PART, Floats, Ints, Table

#: Rows that are kept in memory; of more than these, all lie in a file.
MOST_IN_MEMORY: Final = 1_000_000


class Spool:
    """Tables of one universe, one after the other: in memory while they are few, else in a temporary file.

    The file has no name and goes with its last user. It lies where Python puts such files (``TMPDIR``) and takes 56
    bytes a row, 72 with quotes. Rows that have no quotes may stand beside rows that have them.
    """

    def __init__(self, universe: Sequence[str], part: int = PART) -> None:
        self._names = list(universe)
        self._part = part
        self._kept: list[Table] = []
        self._places: list[tuple[int, int, tuple[str, ...]]] = []
        self._end = 0
        self.rows = 0
        self.columns: dict[str, None] = {}

    @classmethod
    def of(cls, tables: Iterable[Table], universe: Sequence[str]) -> Spool:
        spool = cls(universe)
        for table in tables:
            spool.add(table)
        return spool

    def __len__(self) -> int:
        """The number of parts."""
        return len(self._places) + len(self._kept)

    def add(self, table: Table) -> None:
        """Keep the rows, as parts of at most the spool's size. Raises `FeedError` where the disk has no room."""
        self.columns |= dict.fromkeys(table.figures)
        for start in range(0, len(table.times), self._part):
            self._kept.append(table.cut(start, start + self._part))
        self.rows += len(table.times)
        if self.rows > MOST_IN_MEMORY:
            for part in self._kept:
                self._write(part)
            self._kept.clear()

    def tables(self, first: int = 0, end: int | None = None) -> Iterator[Table]:
        """The parts from the ``first`` one up to ``end``, or to the last."""
        for number in range(first, len(self) if end is None else end):
            in_memory = number - len(self._places)
            yield self._kept[in_memory] if in_memory >= 0 else self._read(number)

    def _write(self, table: Table) -> None:
        columns = (table.times, table.codes, *(column.view(np.int64) for column in table.figures.values()))
        block = np.stack(columns)
        try:
            if not self._places:
                self._file = TemporaryFile()  # noqa: SIM115 - it goes with the spool
            self._file.write(block.data)
            self._file.flush()
        except OSError as error:
            raise FeedError(f"so many bars are put on the disk, in the folder of TMPDIR: {error}") from error
        self._places.append((self._end, len(table.times), tuple(table.figures)))
        self._end += block.nbytes

    def _read(self, number: int) -> Table:
        offset, rows, names = self._places[number]
        wide = len(names) + 2
        # Positions are the reader's own, so that many may read at once.
        content = os.pread(self._file.fileno(), wide * rows * 8, offset)
        block: Ints = np.frombuffer(content, np.int64).reshape(wide, rows)
        figures: dict[str, Floats] = {
            name: column.view(np.float64) for name, column in zip(names, block[2:], strict=True)
        }
        return Table(block[0], block[1], self._names, figures)
