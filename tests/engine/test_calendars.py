"""Sessions: half days, holidays and clock changes, as the exchange has them."""

from datetime import UTC, date, datetime

import pytest

from trading.engine.bars import to_nanos
from trading.engine.calendars import DAY, calendar_of
from trading.engine.errors import InvalidValue

NEW_YORK = calendar_of("XNYS")
CLOCK = calendar_of("24/7")


def at(text: str) -> int:
    """A moment in UTC."""
    return to_nanos(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "close"),
    [
        # The day after Thanksgiving 2013 and the day before Independence Day 2014 end at 13:00 in New York.
        ("2013-11-29 15:00", "2013-11-29 18:00"),
        ("2014-07-03 15:00", "2014-07-03 17:00"),
        # Made after a half day's close: the next session, beyond the holiday.
        ("2014-07-03 17:00", "2014-07-07 20:00"),
        # 16:00 in New York is 21:00 UTC in winter and 20:00 in summer; the clocks changed on 2024-03-10.
        ("2024-03-08 15:00", "2024-03-08 21:00"),
        ("2024-03-08 21:00", "2024-03-11 20:00"),
        ("2024-11-01 20:00", "2024-11-04 21:00"),
        # The terror attacks closed the exchange from the 11th to the 14th.
        ("2001-09-10 20:00", "2001-09-17 20:00"),
        ("1998-01-02 15:00", "1998-01-02 21:00"),
    ],
)
def test_the_next_close_is_the_exchanges(moment, close):
    assert NEW_YORK.close_after(at(moment)) == at(close)


def test_the_next_opening_may_be_this_very_moment():
    assert NEW_YORK.open_from(at("2024-03-11 13:30")) == at("2024-03-11 13:30")
    assert NEW_YORK.open_from(at("2024-03-11 13:31")) == at("2024-03-12 13:30")


@pytest.mark.parametrize(
    ("start", "end", "is_open"),
    [
        ("2013-11-29 17:59", "2013-11-29 18:00", True),
        ("2013-11-29 18:00", "2013-11-29 18:01", False),
        ("2013-11-29 14:29", "2013-11-29 14:30", False),
        ("2013-11-29 14:30", "2013-11-29 14:30", True),
        ("2013-11-28 15:00", "2013-11-28 15:01", False),
        ("2013-11-29 05:00", "2013-11-30 05:00", True),
    ],
)
def test_a_span_is_open_when_part_of_a_session_lies_in_it(start, end, is_open):
    assert NEW_YORK.is_open(at(start), at(end)) is is_open


def test_the_last_close_by_a_saturday_is_fridays():
    assert NEW_YORK.close_by(date(2014, 6, 21)) == at("2014-06-20 20:00")
    assert NEW_YORK.close_by(date(2014, 6, 20)) == at("2014-06-20 20:00")


def test_a_market_around_the_clock_has_the_days_of_utc():
    midnight = at("2024-03-10 00:00")
    assert CLOCK.close_after(midnight) == CLOCK.close_after(midnight + 1) == midnight + DAY
    assert (CLOCK.open_from(midnight), CLOCK.open_from(midnight + 1)) == (midnight, midnight + DAY)
    assert CLOCK.close_by(date(2024, 3, 10)) == midnight + DAY
    assert CLOCK.is_open(midnight, midnight)


def test_an_unknown_calendar_and_a_moment_outside_of_the_table_are_named():
    with pytest.raises(InvalidValue, match="'MOON' is not known"):
        calendar_of("MOON")
    with pytest.raises(InvalidValue, match="1970"):
        NEW_YORK.close_by(date(1969, 12, 31))
