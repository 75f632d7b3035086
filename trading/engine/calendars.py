"""Trading sessions: when an exchange opens and closes, holidays, half days and clock changes included.

The tables are those of exchange_calendars. A calendar is asked per order or per session, never per bar.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from datetime import date
from functools import lru_cache
from typing import Final, Protocol

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue

AROUND_THE_CLOCK: Final = "24/7"
DAY: Final = 86_400 * NANOS_PER_SECOND

_FIRST: Final = "1970-01-01"
_LAST: Final = "2200-12-31"
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Calendar(Protocol):
    """The sessions of one market; all moments are in nanoseconds since the epoch, UTC."""

    def open_from(self, moment: int) -> int:
        """The first opening at or after ``moment``."""

    def close_after(self, moment: int) -> int:
        """The close of the first session that ends after ``moment``."""

    def is_open(self, start: int, end: int) -> bool:
        """Whether any part of the span from ``start`` up to ``end`` lies in a session."""

    def closes_within(self, start: int, end: int) -> bool:
        """Whether a session ends after ``start``, and by ``end``."""

    def close_by(self, day: date) -> int:
        """The close of the last session on or before ``day``."""


class Sessions:
    """A calendar of the exchange with this code (ISO 10383, for example ``XNYS``), from 1970 to 2200.

    Raises `InvalidValue` for a code that is not known and for a moment outside of the table.
    """

    def __init__(self, code: str) -> None:
        # Imported here because it takes most of a second, and a run without day orders never needs it.
        import exchange_calendars

        try:
            table = exchange_calendars.get_calendar(code, start=_FIRST, end=_LAST)
        except exchange_calendars.errors.InvalidCalendarName:
            raise InvalidValue(f"calendar {code!r} is not known; write an exchange's code, for example XNYS") from None
        self.code = code
        self._days = array("q", table.sessions_nanos.tolist())
        self._opens = array("q", table.opens_nanos.tolist())
        self._closes = array("q", table.closes_nanos.tolist())

    def open_from(self, moment: int) -> int:
        return self._at(self._opens, bisect_left(self._opens, moment))

    def close_after(self, moment: int) -> int:
        return self._at(self._closes, bisect_right(self._closes, moment))

    def is_open(self, start: int, end: int) -> bool:
        index = bisect_right(self._closes, start)
        opening = self._at(self._opens, index)
        return opening < end or opening == start

    def closes_within(self, start: int, end: int) -> bool:
        return bisect_right(self._closes, start) < bisect_right(self._closes, end)

    def close_by(self, day: date) -> int:
        nanos = (day.toordinal() - _EPOCH_DAY) * DAY
        return self._at(self._closes, bisect_right(self._days, nanos) - 1)

    def _at(self, column: array[int], index: int) -> int:
        if not 0 <= index < len(column):
            raise InvalidValue(f"the calendar of {self.code} has sessions from {_FIRST} to {_LAST} only")
        return column[index]


class AroundTheClock:
    """A market that never closes; its sessions are the days of UTC."""

    def open_from(self, moment: int) -> int:
        return -(-moment // DAY) * DAY

    def close_after(self, moment: int) -> int:
        return (moment // DAY + 1) * DAY

    def is_open(self, start: int, end: int) -> bool:
        return True

    def closes_within(self, start: int, end: int) -> bool:
        return False

    def close_by(self, day: date) -> int:
        return (day.toordinal() - _EPOCH_DAY + 1) * DAY


@lru_cache(maxsize=64)
def calendar_of(code: str) -> Calendar:
    """The calendar with this code: ``24/7``, or an exchange's."""
    return AroundTheClock() if code == AROUND_THE_CLOCK else Sessions(code)
