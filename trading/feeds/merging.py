"""Many streams of rows as one, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from trading.feeds.tables import PART, QUOTES, Floats, Table

#: The fewest rows that a stream's part should have, however many streams there are.
_FEWEST: Final = 1024


def part_of(streams: int) -> int:
    """Rows of each part, so that the parts at hand of all streams together are few."""
    return max(_FEWEST, PART // max(streams, 1))


def merged(streams: Iterable[Iterator[Table]], universe: Sequence[str]) -> Iterator[Table]:
    """The rows of all streams, each in order of time, in order of time and, within one time, of the universe.

    ``names`` is the universe. All rows of one time come in one part. Of each stream little more than one part is held.
    """
    heads = [_Head(stream, universe) for stream in streams]
    while heads:
        for head in heads:
            head.refill()
        ends = [head.last for head in heads if head.has_more]
        # The next part of a stream may begin at the very time at which this one ends.
        until = min(ends, default=None)
        found = joined([head.take(until) for head in heads], universe)
        heads = [head for head in heads if head.has_more or len(head)]
        if len(found.times):
            yield found if (np.diff(found.times) > 0).all() else found.rows(np.lexsort((found.codes, found.times)))


class _Head:
    """The rows of a stream that were read and not taken yet."""

    def __init__(self, stream: Iterator[Table], universe: Sequence[str]) -> None:
        self._stream = stream
        self._universe = universe
        self._rows = joined([], universe)
        self._size = 0
        self._until: int | None = None
        self.has_more = True

    def __len__(self) -> int:
        return len(self._rows.times)

    @property
    def last(self) -> int:
        return int(self._rows.times[-1])

    def refill(self) -> None:
        """Read on where less than half a part is left, or where all that is left is of the time taken up to."""
        while self.has_more and (2 * len(self) <= self._size or self.last == self._until):
            part = next(self._stream, None)
            if part is None:
                self.has_more = False
            elif len(part.times):
                self._size = len(part.times)
                self._rows = joined([self._rows, part], self._universe)
                self._until = None

    def take(self, until: int | None) -> Table:
        """The rows before a time; None takes all."""
        count = len(self) if until is None else int(np.searchsorted(self._rows.times, until))
        taken, self._rows = self._rows.cut(0, count), self._rows.cut(count, len(self))
        self._until = until
        return taken


def joined(parts: Sequence[Table], universe: Sequence[str]) -> Table:
    """All rows one after the other, coded by the universe; a part without quotes has none, beside one that has."""
    parts = [part for part in parts if len(part.times)]
    if len(parts) == 1 and parts[0].names == list(universe):
        return parts[0]
    rank_of = {symbol: rank for rank, symbol in enumerate(universe)}
    codes = [np.array([rank_of[name] for name in part.names], np.int64)[part.codes] for part in parts]
    columns = dict.fromkeys(name for part in parts for name in part.figures)
    return Table(
        np.concatenate([np.empty(0, np.int64), *(part.times for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *codes]),
        list(universe),
        {name: np.concatenate([_column(part, name) for part in parts]) for name in columns},
    )


def _column(part: Table, name: str) -> Floats:
    return part.figures[name] if name not in QUOTES or name in part.figures else np.zeros(len(part.times))
