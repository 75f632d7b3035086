"""Recorded bars from one file, or from all files of a folder as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from trading.engine.bars import to_datetime
from trading.feeds.base import FeedError
from trading.feeds.tables import QUOTES, SUFFIXES, Floats, Ints, Table, bad_row, read_table

_NAMED: Final = 20


def read_bars(path: Path, shown: str, universe: Sequence[str]) -> Table:
    """The universe's rows, in order of time and, within one time, of the universe; ``names`` is the universe.

    A folder's files are those with a known suffix, in order of name; a file without a column ``symbol`` holds the
    symbol that it is named after (``SPY.csv``). Raises `FeedError` for a file that is wrong, for a bar that two files
    have, and for a symbol that none has.
    """
    files = _files(path, shown)
    found: set[str] = set()
    parts, rows = [], []
    for file, name in files:
        table = read_table(file, name, file.stem if path.is_dir() else None)
        found.update(table.names)
        chosen, part = _of_universe(table, universe)
        rows.append(chosen)
        parts.append(part)
    if missing := sorted(set(universe) - found):
        held = ", ".join(sorted(found)[:_NAMED]) or "no rows"
        raise FeedError(f"has no bar of {', '.join(missing[:_NAMED])}; it holds {held}", shown)
    whole = joined(parts, universe)
    order = np.lexsort((whole.codes, whole.times))
    ordered = whole.rows(order)
    _check_overlap(ordered, order, files, rows)
    return ordered


def _files(path: Path, shown: str) -> list[tuple[Path, str]]:
    """The files to read, and what errors call each."""
    if not path.is_dir():
        return [(path, shown)]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    if not found:
        raise FeedError(f"is a folder without a file of bars ({', '.join(SUFFIXES)})", shown)
    return [(one, str(Path(shown) / one.name)) for one in found]


def _of_universe(table: Table, universe: Sequence[str]) -> tuple[Ints, Table]:
    """The indices of the rows that are taken, and these rows, coded by the universe.

    A symbol has one spelling only (`Symbol.parse` takes no other), so its text says whether two are the same.
    """
    rank_of = {symbol: rank for rank, symbol in enumerate(universe)}
    ranks = np.array([rank_of.get(name, -1) for name in table.names], np.int64)[table.codes]
    chosen = np.flatnonzero(ranks >= 0)
    taken = table.rows(chosen)
    return chosen, Table(taken.times, ranks[chosen], list(universe), taken.figures)


def joined(parts: Sequence[Table], universe: Sequence[str]) -> Table:
    """All rows one after the other, coded by the universe; a part without quotes has none, beside one that has."""
    rank_of = {symbol: rank for rank, symbol in enumerate(universe)}
    codes = [np.array([rank_of[name] for name in part.names], np.int64)[part.codes] for part in parts]
    columns = dict.fromkeys(name for part in parts for name in part.figures)
    return Table(
        np.concatenate([part.times for part in parts]),
        np.concatenate(codes),
        list(universe),
        {name: np.concatenate([_column(part, name) for part in parts]) for name in columns},
    )


def _column(part: Table, name: str) -> Floats:
    return part.figures[name] if name not in QUOTES or name in part.figures else np.zeros(len(part.times))


def _check_overlap(ordered: Table, order: Ints, files: Sequence[tuple[Path, str]], rows: Sequence[Ints]) -> None:
    """Raise for the first bar that two files have; within one file it was looked for before."""
    same = (np.diff(ordered.times) == 0) & (np.diff(ordered.codes) == 0)
    if not same.any():
        return
    at = int(same.argmax())
    starts = np.cumsum([0, *map(len, rows)])
    earlier, later = sorted(int(index) for index in order[at : at + 2])
    first, second = (int(np.searchsorted(starts, index, side="right")) - 1 for index in (earlier, later))
    symbol, moment = ordered.names[ordered.codes[at]], to_datetime(int(ordered.times[at])).isoformat()
    path, shown = files[second]
    row = int(rows[second][later - starts[second]])
    raise bad_row(path, shown, row, f"the bar of {symbol} at {moment} is in {files[first][1]} too")
