"""The bars that a session has seen, kept so that it can be run again: columns, each packed on its own. No loss.

A chunk of bars is written in the same append as the first facts that come after them, so that the ledger never holds a
fact whose bars are not kept. That costs some thirty bytes a bar. Chunks are not part of the chain, never changed, and
may be deleted, after which the run can no longer be replayed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import psycopg

from trading.engine.bars import Bar

#: The number of the first bar in its run, counted from zero, and the bars.
Chunk = tuple[int, Sequence[Bar]]

_PRICES: Final = ("open", "high", "low", "close", "volume")
_QUOTES: Final = ("bid", "ask")
#: Fast rather than small: columns whose bytes are sorted by their place are small anyway.
_LEVEL: Final = 1
# A transaction that is tried again may have been committed before.
_ADD: Final = """
    INSERT INTO run_bars (run_id, first, count, data)
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::integer[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
_READ: Final = "SELECT data FROM run_bars WHERE run_id = %s ORDER BY first"


class _Packed(msgspec.Struct, array_like=True):
    symbols: list[str]
    ranks: bytes
    times: bytes
    figures: list[bytes]


def pack(bars: Sequence[Bar]) -> bytes:
    """The bytes of one chunk."""
    rank_of = {symbol: rank for rank, symbol in enumerate(dict.fromkeys(bar.symbol for bar in bars))}
    names = _PRICES + _QUOTES if any(bar.bid or bar.ask for bar in bars) else _PRICES
    times = np.fromiter((bar.time for bar in bars), "<i8", len(bars))
    packed = _Packed(
        symbols=list(rank_of),
        ranks=np.fromiter((rank_of[bar.symbol] for bar in bars), "<u4", len(bars)).tobytes(),
        times=_by_place(np.diff(times, prepend=0)),
        figures=[_by_place(np.fromiter((getattr(bar, name) for bar in bars), "<f8", len(bars))) for name in names],
    )
    return zlib.compress(msgspec.msgpack.encode(packed), _LEVEL)


def unpack(data: bytes) -> Iterator[Bar]:
    """The bars of one chunk."""
    packed = msgspec.msgpack.decode(zlib.decompress(data), type=_Packed)
    symbols = map(packed.symbols.__getitem__, np.frombuffer(packed.ranks, "<u4").tolist())
    times = np.cumsum(_back(packed.times).view("<i8")).tolist()
    return map(Bar, symbols, times, *(_back(figures).view("<f8").tolist() for figures in packed.figures))


def _by_place(column: npt.NDArray[Any]) -> bytes:
    """The first bytes of all figures, then the second bytes, and so on: alike bytes stand together."""
    return column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()


def _back(data: bytes) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(8, -1).T).reshape(-1)


def save_bars(cursor: psycopg.Cursor[Any], chunks: Sequence[tuple[UUID, Chunk]]) -> None:
    """Write chunks of any runs, in one statement."""
    rows = [(run_id, first, len(bars), pack(bars)) for run_id, (first, bars) in chunks]
    if rows:
        cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def read_bars(database: psycopg.Connection[Any], run_id: UUID) -> Iterator[Bar]:
    """The bars of a run in the order in which it saw them, chunk by chunk; none where none were kept."""
    with database.cursor("recorded_bars") as cursor:
        rows: Iterable[tuple[bytes]] = cursor.execute(_READ, [run_id])
        for (data,) in rows:
            yield from unpack(data)
