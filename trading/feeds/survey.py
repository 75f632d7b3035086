"""What a feed of recorded bars holds, told of the very rows that it gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from trading.engine.bars import to_datetime
from trading.feeds.gaps import missing_minutes
from trading.feeds.spool import Spool
from trading.feeds.tables import FIGURES, Table

_PLAIN: Final = ("bars", "first", "last")


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What two summaries of a feed say of its data: how they have changed, or nothing where they are the same as far as
    the summaries tell."""
    told = {name for name in (*_PLAIN, "sha256") if name in then and then[name] != now.get(name)}
    if not told:
        return ""
    plain = ", ".join(f"{name}: {then[name]} then, {now.get(name)} now" for name in _PLAIN if name in told)
    return f"the feed's data has changed since the run ({plain or 'as many bars, with other figures'})"


def summary_of(spool: Spool, universe: Sequence[str], interval: int) -> dict[str, Any]:
    """The summary of `trading.feeds.base.IFeed.summary` without the timeframe; ``outside_range`` counts the bars whose
    open or close lies outside of [low, high], ``sha256`` is the `fingerprint`."""
    times = [table.times[[0, -1]] for table in spool.tables()]
    missing = missing_minutes(spool.tables(), len(universe), interval)
    return {
        "bars": spool.rows,
        "symbols": list(universe),
        "first": to_datetime(int(times[0][0])).isoformat(),
        "last": to_datetime(int(times[-1][1])).isoformat(),
        "missing_minutes": dict(zip(universe, missing, strict=True)),
        "outside_range": sum(map(_outside_range, spool.tables())),
        "sha256": fingerprint(spool.tables(), universe, list(spool.columns)),
    }


def fingerprint(tables: Iterable[Table], universe: Sequence[str], columns: Sequence[str]) -> str:
    """A digest of the bars and their order, whatever parts they come in and whatever file they came from.

    The SHA-256, in hexadecimal, of the symbols' names and of the digests of each column: times, codes, and then the
    figures. A figure that a part has not is zero.
    """
    digests = [hashlib.sha256(" ".join([*universe, *columns]).encode())]
    digests += [hashlib.sha256() for _ in range(len(columns) + 2)]
    for table in tables:
        nothing = np.zeros(len(table.times))
        found = (table.times, table.codes, *(table.figures.get(name, nothing) for name in columns))
        for digest, column in zip(digests[1:], found, strict=True):
            digest.update(np.ascontiguousarray(column))
    return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()


def _outside_range(table: Table) -> int:
    opening, high, low, close = (table.figures[name] for name in FIGURES[:4])
    inside = (low <= np.minimum(opening, close)) & (np.maximum(opening, close) <= high)
    return int(np.count_nonzero(~inside))
