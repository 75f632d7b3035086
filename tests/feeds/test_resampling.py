from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.tables import write
from trading.engine.bars import Bar, Timeframe, to_nanos
from trading.engine.errors import InvalidValue
from trading.feeds import ReplayFeed
from trading.feeds.base import FeedError
from trading.feeds.merging import joined
from trading.feeds.resampling import read_timeframe
from trading.feeds.resampling import resampled as in_parts
from trading.feeds.tables import Table

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
FIRST = to_nanos(datetime(2024, 3, 8, 14, 30, tzinfo=UTC))
CENTS = st.integers(1, 10_000_000).map(lambda cents: cents / 100)


def nanos(text):
    return to_nanos(datetime.fromisoformat(text))


def table(rows, names):
    """A table of (minute, code, open, high, low, close, volume)."""
    columns = list(zip(*sorted(rows), strict=True))
    figures = [np.array(column, float) for column in columns[2:]]
    return Table(
        FIRST + np.array(columns[0], np.int64) * MINUTE,
        np.array(columns[1], np.int64),
        names,
        dict(zip(("open", "high", "low", "close", "volume"), figures, strict=True)),
    )


def resampled(bars, length, part=None):
    """The longer bars of a table that is given in parts of so many rows."""
    size = part or len(bars.times)
    parts = [bars.cut(start, start + size) for start in range(0, len(bars.times), size)]
    return joined(list(in_parts(parts, length, np.full(len(bars.names), True))), bars.names)


def as_rows(found):
    columns = (found.times, found.codes, *found.figures.values())
    return list(zip(*(column.tolist() for column in columns), strict=True))


@st.composite
def tables(draw, names=("SPY", "BTC/USD")):
    # Three days on each side of the change of clocks on 10 March 2024.
    moments = st.tuples(st.integers(0, 6 * 1440), st.integers(0, len(names) - 1))
    keys = draw(st.sets(moments, min_size=1, max_size=60))
    rows = []
    for minute, code in keys:
        low, opening, close, high = sorted(draw(st.tuples(CENTS, CENTS, CENTS, CENTS)))
        rows.append((minute, code, opening, high, low, close, draw(st.integers(0, 10**9))))
    return table(rows, list(names))


@given(tables(), st.sampled_from([5, 10, 30]), st.sampled_from([60, 120, 240]))
def test_in_two_steps_or_in_one_is_the_same(bars, first, second):
    between = resampled(bars, first * MINUTE)
    in_two = resampled(between, second * MINUTE)
    assert as_rows(in_two) == as_rows(resampled(bars, second * MINUTE))


@given(tables(), st.sampled_from([5, 60, 240, 1440]), st.integers(1, 20))
def test_it_does_not_matter_in_what_parts_the_bars_come(bars, minutes, part):
    assert as_rows(resampled(bars, minutes * MINUTE, part)) == as_rows(resampled(bars, minutes * MINUTE))


@given(tables(), st.sampled_from([5, 60, 240]))
def test_no_volume_is_lost_and_extremes_stay(bars, minutes):
    longer = resampled(bars, minutes * MINUTE)
    for code in (0, 1):
        mine, theirs = bars.codes == code, longer.codes == code
        assert bars.figures["volume"][mine].sum() == longer.figures["volume"][theirs].sum()
        if mine.any():
            assert bars.figures["high"][mine].max() == longer.figures["high"][theirs].max()
            assert bars.figures["low"][mine].min() == longer.figures["low"][theirs].min()


@given(tables(), st.sampled_from([5, 60, 240]), st.data())
def test_a_longer_bar_says_nothing_that_came_after_it(bars, minutes, data):
    """Cutting off what came later changes no bar that had ended."""
    cut = data.draw(st.integers(1, len(bars.times)))
    end = int(bars.times[cut - 1]) + MINUTE
    whole, known = (resampled(one, minutes * MINUTE) for one in (bars, bars.rows(np.flatnonzero(bars.times < end))))
    ended = [row for row in as_rows(whole) if row[0] + minutes * MINUTE <= end]
    assert ended == [row for row in as_rows(known) if row[0] + minutes * MINUTE <= end]


def test_a_longer_bar_by_hand():
    bars = table(
        [(0, 0, 10, 12, 9, 11, 100), (1, 0, 11, 15, 11, 12, 50), (4, 0, 12, 12, 8, 9, 1), (5, 0, 9, 9, 9, 9, 2)],
        ["SPY"],
    )
    assert as_rows(resampled(bars, 5 * MINUTE)) == [
        (FIRST, 0, 10, 15, 8, 9, 151),
        (FIRST + 5 * MINUTE, 0, 9, 9, 9, 9, 2),
    ]


def replayed(path, rows, symbol="SPY", **options):
    feed = ReplayFeed([symbol], str(write(path / "bars.csv", rows)), **options)
    feed.prepare()
    return feed


def line(moment, close, symbol="SPY", volume=10):
    return f"{moment},{symbol},{close},{close},{close},{close},{volume}"


def test_a_day_is_the_exchanges_session_and_a_half_day_ends_early(tmp_path):
    """3 July 2014 closed at 13:00 in New York, 17:00 UTC; 4 July was a holiday."""
    rows = [
        line("2014-07-02T13:00:00Z", 1),  # before the opening
        line("2014-07-02T13:30:00Z", 2),
        line("2014-07-02T13:31:00Z", 4),
        line("2014-07-02T19:59:00Z", 3),
        line("2014-07-02T20:00:00Z", 9),  # after the close
        line("2014-07-03T13:30:00Z", 5),
        line("2014-07-03T16:59:00Z", 6),
        line("2014-07-03T17:00:00Z", 9),  # after the early close
        line("2014-07-04T15:00:00Z", 9),  # a holiday
    ]
    feed = replayed(tmp_path, rows, timeframe="1Day")
    assert (feed.timeframe, feed.interval) == (Timeframe.DAY, 24 * HOUR)
    assert list(feed.bars()) == [
        Bar("SPY", nanos("2014-07-02T04:00:00Z"), 2, 4, 2, 3, 30),
        Bar("SPY", nanos("2014-07-03T04:00:00Z"), 5, 6, 5, 6, 20),
    ]


def test_a_day_of_crypto_is_one_of_utc(tmp_path):
    rows = [line("2024-03-09T23:59:00Z", 1, "BTC/USD"), line("2024-03-10T00:00:00Z", 2, "BTC/USD")]
    feed = replayed(tmp_path, rows, "BTC/USD", timeframe="1Day")
    assert [bar.time for bar in feed.bars()] == [nanos("2024-03-09T00:00:00Z"), nanos("2024-03-10T00:00:00Z")]


def test_four_hours_start_by_the_exchanges_clock_on_both_sides_of_a_change_of_clocks(tmp_path):
    rows = [line("2024-03-08T15:00:00Z", 1), line("2024-03-08T15:01:00Z", 1), line("2024-03-11T14:00:00Z", 2)]
    feed = replayed(tmp_path, rows, timeframe="4Hour")
    assert [bar.time for bar in feed.bars()] == [nanos("2024-03-08T13:00:00Z"), nanos("2024-03-11T12:00:00Z")]


def test_bars_of_the_wanted_length_stay_as_they_are(tmp_path):
    rows = [line("2024-03-07T05:00:00Z", 1), line("2024-03-08T05:00:00Z", 2), line("2024-03-11T04:00:00Z", 3)]
    assert list(replayed(tmp_path, rows, timeframe="1Day").bars()) == list(replayed(tmp_path, rows).bars())


def test_shorter_bars_than_were_recorded_cannot_be_made(tmp_path):
    rows = [line("2024-03-08T15:00:00Z", 1), line("2024-03-08T15:05:00Z", 1)]
    with pytest.raises(FeedError, match="holds bars of 300 seconds, of which no such timeframe can be made"):
        replayed(tmp_path, rows, timeframe="1Min")


@pytest.mark.parametrize("text", ["7Min", "0Min", "5min", "2Day", "", "Hour", "99999Hour"])
def test_a_length_that_does_not_divide_a_day_is_refused(text):
    with pytest.raises(InvalidValue, match="is not known: write 1Day, or a part of a day such as 5Min or 1Hour"):
        read_timeframe(text)
