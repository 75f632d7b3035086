"""Recorded bars from one file, or from all files of a folder as if they were one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from trading.engine.bars import to_datetime
from trading.feeds.base import FeedError
from trading.feeds.merging import merged, part_of
from trading.feeds.reading import SUFFIXES, bad_row, read_tables
from trading.feeds.spool import Spool
from trading.feeds.tables import Table

_NAMED: Final = 20


class _File(NamedTuple):
    """A file to read, what errors call it, and the symbol of its rows where they name none."""

    path: Path
    shown: str
    symbol: str | None


def read_bars(path: Path, shown: str, universe: Sequence[str]) -> Iterator[Table]:
    """The universe's rows, in order of time and, within one time, of the universe; ``names`` is the universe.

    A folder's files are those with a known suffix, in order of name; a file without a column ``symbol`` holds the
    symbol that it is named after (``SPY.csv``). Raises `FeedError` for a file that is wrong, for a bar that two files
    have, and for a symbol that none has. Every row is checked by the time the last part is out; those of a folder are
    all read, and kept aside, before the first part is.
    """
    files = _files(path, shown)
    found: set[str] = set()
    sources = [_rows_of(file, universe, found) for file in files]
    for part in merged(sources if len(sources) == 1 else _aside(sources, universe), universe):
        _check_overlap(part, files)
        yield part
    if missing := sorted(set(universe) - found):
        held = ", ".join(sorted(found)[:_NAMED]) or "no rows"
        raise FeedError(f"has no bar of {', '.join(missing[:_NAMED])}; it holds {held}", shown)


def look_at(path: Path, shown: str) -> None:
    """Read the first rows of the first file. Raises `FeedError` for what is wrong with them, or with their columns."""
    next(read_tables(*_files(path, shown)[0]), None)


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files of a folder; 0 where there is nothing."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _aside(sources: Sequence[Iterator[Table]], universe: Sequence[str]) -> list[Iterator[Table]]:
    """The same rows, read one file after the other and kept in parts that are small where there are many files."""
    spool = Spool(universe, part_of(len(sources)))
    ends = [0]
    for source in sources:
        for table in source:
            spool.add(table)
        ends.append(len(spool))
    return [spool.tables(first, end) for first, end in pairwise(ends)]


def _files(path: Path, shown: str) -> list[_File]:
    if not path.is_dir():
        return [_File(path, shown, None)]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    if not found:
        raise FeedError(f"is a folder without a file of bars ({', '.join(SUFFIXES)})", shown)
    return [_File(one, str(Path(shown) / one.name), one.stem) for one in found]


def _rows_of(file: _File, universe: Sequence[str], found: set[str]) -> Iterator[Table]:
    """The universe's rows of one file; ``found`` gathers what symbols it holds.

    A symbol has one spelling only (`Symbol.parse` takes no other), so its text says whether two are the same.
    """
    rank_of = {symbol: rank for rank, symbol in enumerate(universe)}
    for table in read_tables(*file):
        found.update(table.names)
        ranks = np.array([rank_of.get(name, -1) for name in table.names], np.int64)[table.codes]
        taken = Table(table.times, ranks, list(universe), table.figures)
        yield taken if (ranks >= 0).all() else taken.rows(np.flatnonzero(ranks >= 0))


def _check_overlap(part: Table, files: Sequence[_File]) -> None:
    """Raise for the first bar that two files have; within one file it was looked for before."""
    same = (np.diff(part.times) == 0) & (np.diff(part.codes) == 0)
    if not same.any():
        return
    at = int(same.argmax())
    time, symbol = int(part.times[at]), part.names[part.codes[at]]
    (first, _), (second, row) = [(file, row) for file in files for row in _rows_with(file, time, symbol)][:2]
    moment = to_datetime(time).isoformat()
    raise bad_row(second.path, second.shown, row, f"the bar of {symbol} at {moment} is in {first.shown} too")


def _rows_with(file: _File, time: int, symbol: str) -> Iterator[int]:
    """Where a file has this bar: the indices of its rows."""
    begin = 0
    for table in read_tables(*file):
        if symbol in table.names:
            code = table.names.index(symbol)
            yield from (begin + np.flatnonzero((table.times == time) & (table.codes == code))).tolist()
        begin += len(table.times)
