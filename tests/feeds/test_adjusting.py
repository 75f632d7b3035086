from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.tables import row, write
from trading.feeds import ReplayFeed
from trading.feeds.adjusting import Adjustment, Event, read_events
from trading.feeds.base import FeedError
from trading.feeds.gaps import DAY
from trading.feeds.merging import joined
from trading.feeds.tables import Table

FIRST_DAY = 19_724
EVENTS = "symbol,date,kind,value"


def daily(closes, symbol="SPY"):
    """One bar a day, stamped at midnight UTC, each price the close, the volume 100."""
    prices = np.array(closes, float)
    figures = {name: prices.copy() for name in ("open", "high", "low", "close")} | {
        "volume": np.full(len(prices), 100.0)
    }
    times = (FIRST_DAY + np.arange(len(prices))) * DAY
    return Table(times, np.zeros(len(prices), np.int64), [symbol], figures)


def adjusted(bars, events, shown, part=None):
    """The bars of a table that is given in parts of so many rows, with all events."""
    size = part or len(bars.times)
    parts = [bars.cut(start, start + size) for start in range(0, len(bars.times), size)]
    adjustment = Adjustment(parts, bars.names, np.full(len(bars.names), False), events, shown)
    return joined([adjustment.made(one) for one in parts], bars.names)


def event(day, kind, value, symbol="SPY"):
    return Event(symbol, FIRST_DAY + day, kind, value, 2)


def test_a_split_divides_the_prices_before_it_and_multiplies_the_volumes():
    found = adjusted(daily([400, 408, 101]), [event(2, "split", 4.0)], "")
    assert found.figures["close"].tolist() == [100.0, 102.0, 101.0]
    assert found.figures["volume"].tolist() == [400.0, 400.0, 100.0]


def test_a_reverse_split_makes_the_prices_before_it_larger():
    assert adjusted(daily([2, 20]), [event(1, "split", 0.1)], "").figures["close"].tolist() == [20.0, 20.0]


def test_a_dividend_takes_its_share_of_the_close_before_it_from_all_earlier_prices():
    """1 - 2 / 50 = 0.96: 40 becomes 38.4 and 50 becomes 48, the price without the dividend."""
    found = adjusted(daily([40, 50, 49]), [event(2, "dividend", 2.0)], "")
    assert found.figures["close"] == pytest.approx([38.4, 48.0, 49.0], rel=1e-15)
    assert found.figures["volume"].tolist() == [100.0, 100.0, 100.0]


def test_a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares():
    """Two new shares for one, each with a dividend of 1: the old share at 50 is worth 48 without, or 24 a new one."""
    events = [event(1, "split", 2.0), event(1, "dividend", 1.0)]
    assert adjusted(daily([50, 24]), events, "").figures["close"] == pytest.approx([24.0, 24.0], rel=1e-15)


def test_an_event_before_the_first_bar_and_one_of_another_symbol_change_nothing():
    events = [event(0, "split", 4.0), event(1, "split", 4.0, "BAC")]
    assert adjusted(daily([1, 2]), events, "").figures["close"].tolist() == [1.0, 2.0]


@given(
    st.lists(st.integers(100, 100_000), min_size=3, max_size=20),
    st.lists(st.tuples(st.integers(1, 19), st.sampled_from([2.0, 3.0, 1.5, 0.25])), max_size=4),
)
def test_returns_away_from_events_stay_and_splits_are_exact(closes, splits):
    found = adjusted(daily(closes), [event(day, "split", ratio) for day, ratio in splits], "")
    after = found.figures["close"].tolist()
    for day in range(len(closes)):
        shares = Fraction(1)
        for ex_day, ratio in splits:
            shares *= Fraction(ratio) if ex_day > day else 1
        assert after[day] == float(Fraction(closes[day]) / shares)
        if day and day not in {ex_day for ex_day, _ in splits}:
            assert after[day] / after[day - 1] == pytest.approx(closes[day] / closes[day - 1], rel=1e-12)


@given(st.lists(st.integers(100, 100_000), min_size=3, max_size=20), st.integers(1, 2), st.floats(0.01, 0.99))
def test_the_return_over_an_ex_date_is_the_total_return(closes, day, part):
    paid = closes[day - 1] * part
    after = adjusted(daily(closes), [event(day, "dividend", paid)], "").figures["close"]
    assert after[day] / after[day - 1] == pytest.approx(closes[day] / (closes[day - 1] - paid), rel=1e-9)


@given(
    st.lists(st.integers(100, 100_000), min_size=3, max_size=20),
    st.lists(st.tuples(st.integers(1, 19), st.sampled_from(["split", "dividend"])), max_size=4),
    st.integers(1, 5),
)
def test_it_does_not_matter_in_what_parts_the_bars_come(closes, days, part):
    events = [event(day, kind, 2.0) for day, kind in sorted(days)]
    whole, in_parts = adjusted(daily(closes), events, ""), adjusted(daily(closes), events, "", part)
    assert in_parts.figures["close"].tolist() == whole.figures["close"].tolist()


def test_a_dividend_of_more_than_the_price_is_refused():
    with pytest.raises(FeedError, match=r"a\.csv, line 2: a dividend of 50 is not less than the close of 50 before it"):
        adjusted(daily([50, 1]), [event(1, "dividend", 50.0)], "a.csv")


def test_a_feed_adjusts_before_it_resamples(tmp_path):
    """The minutes of one session, before and after an ex-date of the next day: 10.5 to 2.625."""
    bars = write(tmp_path / "bars.csv", [row(0), row(1)])
    events = write(tmp_path / "events.csv", ["SPY,2024-01-03,split,4", "BAC,2024-01-02,split,2"], EVENTS)
    feed = ReplayFeed(["SPY"], str(bars), adjustments=str(events), timeframe="1Day")
    feed.prepare()
    (bar,) = feed.bars()
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (2.625, 2.8125, 2.5, 2.75, 800.0)


def test_minutes_of_the_evening_belong_to_their_own_day_in_new_york(tmp_path):
    """00:30 UTC on the ex-date is still the day before it in New York, and so is adjusted."""
    minutes = ["2024-01-03T00:30:00Z,SPY,4,4,4,4,1", "2024-01-03T14:30:00Z,SPY,1,1,1,1,1"]
    events = write(tmp_path / "events.csv", ["SPY,2024-01-03,split,4"], EVENTS)
    feed = ReplayFeed(["SPY"], str(write(tmp_path / "bars.csv", minutes)), adjustments=str(events))
    feed.prepare()
    assert [bar.close for bar in feed.bars()] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (",2024-01-03,split,4", "symbol is empty"),
        ("SPY,3 Jan,split,4", "date '3 Jan' is no day: write 2024-06-10"),
        ("SPY,2024-01-03,merger,4", "kind 'merger' must be one of split, dividend"),
        ("SPY,2024-01-03,split,four", "value 'four' is not a number"),
        ("SPY,2024-01-03,split,0", "value is not more than zero"),
        ("SPY,2024-01-03,dividend,nan", "value is not more than zero"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, second, reason):
    file = write(tmp_path / "events.csv", ["SPY,2024-01-02,split,2", second], EVENTS)
    with pytest.raises(FeedError) as caught:
        read_events(file, "events.csv")
    assert str(caught.value) == f"events.csv, line 3: {reason}"


def test_a_file_without_its_columns_says_which(tmp_path):
    file = write(tmp_path / "events.csv", [], "symbol,date,ratio")
    with pytest.raises(FeedError, match=r"line 1: has no column kind, value; needed are symbol, date, kind, value"):
        read_events(file, "events.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FeedError, match=r"none\.csv: there is no such file of adjustments"):
        read_events(tmp_path / "none.csv", "none.csv")
