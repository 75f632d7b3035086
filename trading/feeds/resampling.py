"""Longer bars from shorter ones."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import numpy as np
from pydantic import AfterValidator

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue
from trading.feeds.base import FeedError
from trading.feeds.days import in_session, shifts_of
from trading.feeds.gaps import DAY
from trading.feeds.tables import Floats, Ints, Table

_FORM: Final = re.compile(r"([1-9][0-9]{0,4})(Sec|Min|Hour|Day)")
_UNITS: Final = {"Sec": NANOS_PER_SECOND, "Min": 60 * NANOS_PER_SECOND, "Hour": 3600 * NANOS_PER_SECOND, "Day": DAY}
#: How a longer bar's figure follows from those of its parts, given where each longer bar begins.
_FIRST_OF: Final = {"open"}
_REDUCED: Final[dict[str, Any]] = {"high": np.maximum, "low": np.minimum, "volume": np.add}


def read_timeframe(text: str) -> int:
    """The length of a bar in nanoseconds: ``15Min``, ``4Hour``, ``1Day``. Raises `InvalidValue` for anything else, and
    for what does not divide a day evenly, since bars would then not start at the same times on each day."""
    match = _FORM.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not length or DAY % length:
        raise InvalidValue(f"timeframe {text!r} is not known: write 1Day, or a part of a day such as 5Min or 1Hour")
    return length


def _readable(text: str) -> str:
    read_timeframe(text)
    return text


#: How a recipe writes the length of a bar to resample to.
BarLength = Annotated[str, AfterValidator(_readable)]


def resampled(table: Table, length: int, interval: int, shown: str) -> Table:
    """Bars of ``length`` nanoseconds from a table of ``interval`` (0: unknown), in order of time and code.

    A bar is stamped with its start and holds what began within it: the first open, the highest high, the lowest low,
    the last close and quote, and the sum of volumes; so it says nothing that was not known at its end. Bars start at
    even times of the market's own clock. A bar of a day is stamped with its midnight and holds the regular session
    alone, by the exchange's calendar. Where nothing was recorded there is no bar.

    Raises `FeedError` where the recorded bars are longer, or do not divide the wanted length.
    """
    if interval == length:
        return table
    if interval > length or (interval and length % interval):
        seconds = interval / NANOS_PER_SECOND
        raise FeedError(f"holds bars of {seconds:g} seconds, of which no such timeframe can be made", shown)
    order = np.lexsort((table.times, table.codes))
    grouped = table.rows(order)
    starts, kept = _starts(grouped, length)
    grouped, starts = grouped.rows(kept), starts[kept]
    if not len(starts):
        raise FeedError("has no bar within a regular session, of which bars of a day are made", shown)
    first = np.flatnonzero(np.append(True, (np.diff(starts) != 0) | (np.diff(grouped.codes) != 0)))
    figures = {name: _reduced(name, column, first) for name, column in grouped.figures.items()}
    longer = Table(starts[first], grouped.codes[first], table.names, figures)
    return longer.rows(np.lexsort((longer.codes, longer.times)))


def _starts(grouped: Table, length: int) -> tuple[Ints, Ints]:
    """The start of the longer bar that each row falls into, and the indices of the rows that count."""
    starts = np.empty(len(grouped.times), np.int64)
    counts = np.ones(len(grouped.times), np.bool_)
    bounds = np.searchsorted(grouped.codes, np.arange(len(grouped.names) + 1))
    for code, symbol in enumerate(grouped.names):
        part = slice(bounds[code], bounds[code + 1])
        times = grouped.times[part]
        shifts = shifts_of(symbol, times)
        starts[part] = (times + shifts) // length * length - shifts
        if length == DAY:
            counts[part] = in_session(symbol, times, (times + shifts) // DAY)
    return starts, np.flatnonzero(counts)


def _reduced(name: str, column: Floats, first: Ints) -> Floats:
    if name in _FIRST_OF:
        return column[first]
    if name in _REDUCED:
        return np.asarray(_REDUCED[name].reduceat(column, first))
    return np.asarray(column[np.append(first[1:], len(column)) - 1])
