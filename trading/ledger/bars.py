"""The bars that a session has seen, kept so that it can be run again: columns, each packed on its own. No loss.

A chunk of bars is written in the same append as the first facts that come after them, so that the ledger never holds a
fact whose bars are not kept. That costs some thirty bytes a bar. Chunks are not part of the chain, never changed, and
may be deleted, after which the run can no longer be replayed.

Each bar has its place among the facts of its run: the last event before it was seen, and the last one before its
equity was marked and the run looked at by its risk rules. Between the two a venue may have told anything.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import psycopg

from trading.engine.bars import Bar


class Chunk(NamedTuple):
    """Bars of one append. ``first`` is the number of the first in its run, counted from zero.

    ``seen`` (one for each) and ``marks`` (for the next bars that have none yet, be they of this chunk or of one before)
    count the facts of the append that were recorded before.
    """

    first: int
    bars: Sequence[Bar]
    seen: Sequence[int] = ()
    marks: Sequence[int] = ()


class Seen(NamedTuple):
    """A kept bar with its place: the ``seq`` of the last event before it was seen, and before it was marked.

    None where that is not known, as where the session was lost before it marked it.
    """

    bar: Bar
    after: int | None = None
    marked: int | None = None


_PRICES: Final = ("open", "high", "low", "close", "volume")
_QUOTES: Final = ("bid", "ask")
#: Fast rather than small: columns whose bytes are sorted by their place are small anyway.
_LEVEL: Final = 1
# A transaction that is tried again may have been committed before.
_ADD: Final = """
    INSERT INTO run_bars (run_id, first, count, after, data)
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::integer[], %s::bigint[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
# Of two chunks with the same first number, the one without bars came before.
_READ: Final = "SELECT after, data FROM run_bars WHERE run_id = %s ORDER BY first, count"


class _Packed(msgspec.Struct, array_like=True):
    symbols: list[str]
    ranks: bytes
    times: bytes
    figures: list[bytes]
    seen: bytes = b""
    marks: bytes = b""


def pack(bars: Sequence[Bar], seen: Sequence[int] = (), marks: Sequence[int] = ()) -> bytes:
    """The bytes of one chunk."""
    rank_of = {symbol: rank for rank, symbol in enumerate(dict.fromkeys(bar.symbol for bar in bars))}
    names = _PRICES + _QUOTES if any(bar.bid or bar.ask for bar in bars) else _PRICES
    times = np.fromiter((bar.time for bar in bars), "<i8", len(bars))
    packed = _Packed(
        symbols=list(rank_of),
        ranks=np.fromiter((rank_of[bar.symbol] for bar in bars), "<u4", len(bars)).tobytes(),
        times=_by_place(np.diff(times, prepend=0)),
        figures=[_by_place(np.fromiter((getattr(bar, name) for bar in bars), "<f8", len(bars))) for name in names],
        seen=np.array(seen, "<u4").tobytes(),
        marks=np.array(marks, "<u4").tobytes(),
    )
    return zlib.compress(msgspec.msgpack.encode(packed), _LEVEL)


def unpack(data: bytes) -> Iterator[Bar]:
    """The bars of one chunk."""
    return _bars(_decoded(data))


def _decoded(data: bytes) -> _Packed:
    return msgspec.msgpack.decode(zlib.decompress(data), type=_Packed)


def _bars(packed: _Packed) -> Iterator[Bar]:
    if not packed.ranks:
        return iter(())
    symbols = map(packed.symbols.__getitem__, np.frombuffer(packed.ranks, "<u4").tolist())
    times = np.cumsum(_back(packed.times).view("<i8")).tolist()
    return map(Bar, symbols, times, *(_back(figures).view("<f8").tolist() for figures in packed.figures))


def _by_place(column: npt.NDArray[Any]) -> bytes:
    """The first bytes of all figures, then the second bytes, and so on: alike bytes stand together."""
    return column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()


def _back(data: bytes) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(8, -1).T).reshape(-1)


def save_bars(cursor: psycopg.Cursor[Any], chunks: Sequence[tuple[UUID, int, Chunk]]) -> None:
    """Write chunks of any runs, each with the seq of the last event before its append, in one statement."""
    rows = [
        (run_id, chunk.first, len(chunk.bars), after, pack(chunk.bars, chunk.seen, chunk.marks))
        for run_id, after, chunk in chunks
    ]
    if rows:
        cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def read_bars(database: psycopg.Connection[Any], run_id: UUID) -> Iterator[Bar]:
    """The bars of a run in the order in which it saw them, chunk by chunk; none where none were kept."""
    for _, packed in _chunks(database, run_id):
        yield from _bars(packed)


def read_seen(database: psycopg.Connection[Any], run_id: UUID) -> Iterator[Seen]:
    """The same with their places."""
    unmarked: deque[Seen] = deque()
    for after, packed in _chunks(database, run_id):
        places: Iterable[int | None] = [None] * (len(packed.ranks) // 4)
        if packed.seen:
            places = (np.frombuffer(packed.seen, "<u4").astype(np.int64) + after).tolist()
        unmarked.extend(map(Seen, _bars(packed), places))
        for mark in np.frombuffer(packed.marks, "<u4").tolist():
            yield unmarked.popleft()._replace(marked=after + mark)
    yield from unmarked


def _chunks(database: psycopg.Connection[Any], run_id: UUID) -> Iterator[tuple[int, _Packed]]:
    with database.cursor("recorded_bars") as cursor:
        rows: Iterable[tuple[int | None, bytes]] = cursor.execute(_READ, [run_id])
        for after, data in rows:
            yield after or 0, _decoded(data)
