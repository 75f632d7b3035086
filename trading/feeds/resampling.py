"""Longer bars from shorter ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import numpy as np
from pydantic import AfterValidator

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue
from trading.feeds.base import FeedError
from trading.feeds.days import in_session, shifts_of
from trading.feeds.gaps import DAY
from trading.feeds.merging import joined
from trading.feeds.tables import Bools, Floats, Ints, Table

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


def check_resampling(length: int, interval: int, shown: str) -> None:
    """Raise `FeedError` where bars of ``interval`` (nanoseconds; 0: unknown) cannot make up bars of ``length``."""
    if interval > length or (interval and length % interval):
        seconds = interval / NANOS_PER_SECOND
        raise FeedError(f"holds bars of {seconds:g} seconds, of which no such timeframe can be made", shown)


def resampled(tables: Iterable[Table], length: int, intraday: Bools) -> Iterator[Table]:
    """Bars of ``length`` nanoseconds from shorter ones; both in order of time and, within one time, of code.

    A bar is stamped with its start and holds what began within it: the first open, the highest high, the lowest low,
    the last close and quote, and the sum of volumes; so it says nothing that was not known at its end. Bars start at
    even times of the market's own clock. A bar of a day is stamped with its midnight and holds the regular session
    alone, by the exchange's calendar. Where nothing was recorded there is no bar. ``intraday`` tells of each code
    whether its bars are within the day (`trading.feeds.days.shifts_of`).
    """
    rest: Table | None = None
    for table in tables:
        rows = table if rest is None else joined([rest, table], table.names)
        starts, counts = _starts(rows, length, intraday)
        # Of every symbol, what began before this has all its rows.
        begun = _begun(rows, length, intraday)
        yield _longer(rows, starts, np.flatnonzero(counts & (starts < begun)))
        rest = rows.rows(np.flatnonzero(counts & (starts >= begun)))
    if rest is not None:
        starts, counts = _starts(rest, length, intraday)
        yield _longer(rest, starts, np.flatnonzero(counts))


def _starts(rows: Table, length: int, intraday: Bools) -> tuple[Ints, Bools]:
    """The start of the longer bar that each row falls into, and whether the row counts."""
    starts, counts = np.empty(len(rows.times), np.int64), np.ones(len(rows.times), np.bool_)
    for code in np.unique(rows.codes).tolist():
        mine = np.flatnonzero(rows.codes == code)
        symbol, times = rows.names[code], rows.times[mine]
        shifts = shifts_of(symbol, times, bool(intraday[code]))
        starts[mine] = (times + shifts) // length * length - shifts
        if length == DAY:
            counts[mine] = in_session(symbol, times, (times + shifts) // DAY)
    return starts, counts


def _begun(rows: Table, length: int, intraday: Bools) -> int:
    """The earliest start of the bars that the last row's time falls into, on the clocks of all symbols."""
    now = rows.times[-1:]
    shifts = [shifts_of(symbol, now, bool(found)) for symbol, found in zip(rows.names, intraday, strict=True)]
    return min(int(((now + shift) // length * length - shift)[0]) for shift in shifts)


def _longer(rows: Table, starts: Ints, chosen: Ints) -> Table:
    order = chosen[np.lexsort((rows.times[chosen], rows.codes[chosen]))]
    grouped, starts = rows.rows(order), starts[order]
    first = np.flatnonzero((np.diff(starts, prepend=-1) != 0) | (np.diff(grouped.codes, prepend=-1) != 0))
    figures = {name: _reduced(name, column, first) for name, column in grouped.figures.items()}
    longer = Table(starts[first], grouped.codes[first], rows.names, figures)
    return longer.rows(np.lexsort((longer.codes, longer.times)))


def _reduced(name: str, column: Floats, first: Ints) -> Floats:
    if name in _FIRST_OF or not len(first):
        return column[first]
    if name in _REDUCED:
        return np.asarray(_REDUCED[name].reduceat(column, first))
    return np.asarray(column[np.append(first[1:], len(column)) - 1])
