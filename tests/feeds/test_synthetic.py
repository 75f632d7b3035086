import json
import time
from datetime import UTC
from itertools import islice, pairwise
from statistics import mean, pstdev
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.engine.bars import Timeframe, to_datetime
from trading.engine.errors import InvalidValue
from trading.feeds import SyntheticFeed
from trading.feeds.base import FeedError

NEW_YORK = ZoneInfo("America/New_York")
UNIVERSE = ("SPY", "BAC")
TIMEFRAMES = st.sampled_from(list(Timeframe))


def taken(count=None, universe=UNIVERSE, **kwargs):
    feed = SyntheticFeed(universe=universe, **kwargs)
    feed.prepare()
    return list(islice(feed.bars(), count))


def of(symbol, bars):
    return [bar for bar in bars if bar.symbol == symbol]


@given(st.integers(0, 2**62), TIMEFRAMES)
def test_the_same_seed_gives_the_same_bars(seed, timeframe):
    start = "2024-01-02T14:30:00Z"
    once = taken(100, seed=seed, timeframe=timeframe, start=start)
    assert once == taken(100, seed=seed, timeframe=timeframe, start=start)
    assert once != taken(100, seed=seed + 1, timeframe=timeframe, start=start)


@given(st.integers(1, 900), TIMEFRAMES)
def test_bars_do_not_depend_on_how_many_are_taken(count, timeframe):
    start = "2024-01-02T14:30:00Z"
    assert taken(count, timeframe=timeframe, start=start) == taken(900, timeframe=timeframe, start=start)[:count]
    assert taken(bars=count, timeframe=timeframe, start=start) == taken(2 * count, timeframe=timeframe, start=start)


def test_a_symbol_does_not_depend_on_the_others():
    assert of("BAC", taken(2000)) == taken(1000, universe=("BAC",))


def test_bars_come_in_order_of_time_and_of_the_universe():
    bars = taken(1000, universe=("B", "A", "C"))
    assert [bar.symbol for bar in bars[:6]] == ["B", "A", "C", "B", "A", "C"]
    assert all(earlier.time <= later.time for earlier, later in pairwise(bars))


@given(st.integers(0, 1000), TIMEFRAMES, st.floats(0.01, 5))
def test_prices_are_whole_cents_above_zero_within_their_range(seed, timeframe, volatility):
    for bar in taken(600, seed=seed, timeframe=timeframe, volatility=volatility):
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert all(round(price, 2) == price for price in (bar.open, bar.high, bar.low, bar.close))
        assert bar.volume >= 1
        assert bar.volume.is_integer()


def test_prices_stay_plausible_for_eighty_years():
    closes = [bar.close for bar in taken(universe=("SPY",), timeframe="1Day", bars=20_000)]
    assert 5 < min(closes) < max(closes) < 2000


@pytest.mark.parametrize(("timeframe", "a_day"), [("1Min", 390), ("5Min", 78), ("1Hour", 7)])
def test_a_trading_day_lies_between_the_opening_and_the_close(timeframe, a_day):
    stamps = [to_datetime(bar.time).astimezone(NEW_YORK) for bar in taken(a_day * 10, ("SPY",), timeframe=timeframe)]
    for day in range(10):
        session = stamps[day * a_day : (day + 1) * a_day]
        assert f"{session[0]:%H:%M}" == "09:30"
        assert f"{session[-1]:%H:%M}" < "16:00"
        assert len({stamp.date() for stamp in session}) == 1
        assert session[0].weekday() < 5


def test_the_day_is_busy_at_both_ends_and_nights_have_gaps():
    bars = taken(390 * 40, ("SPY",))
    minutes = [bars[minute::390] for minute in range(390)]
    volume = [mean(bar.volume for bar in minute) for minute in minutes]
    assert mean(volume[:20]) > 2 * mean(volume[185:205]) < 1.5 * mean(volume[-20:])
    swing = [mean(bar.high - bar.low for bar in minute) for minute in minutes]
    assert mean(swing[:20]) > 1.5 * mean(swing[185:205])
    gaps = [abs(bars[day * 390].open / bars[day * 390 - 1].close - 1) for day in range(1, 40)]
    steps = [abs(bars[minute].open / bars[minute - 1].close - 1) for minute in range(1, 390)]
    assert mean(gaps) > 5 * mean(steps)


def test_volatility_is_about_what_was_asked_for():
    closes = [bar.close for bar in taken(5000, ("SPY",), timeframe="1Day", volatility=0.25)]
    yearly = pstdev(later / earlier - 1 for earlier, later in pairwise(closes)) * 252**0.5
    assert 0.15 < yearly < 0.45


def test_bars_of_a_second_never_pause():
    stamps = [bar.time for bar in taken(2000, ("SPY",), timeframe="1Sec", start="2024-01-06T23:59:00Z")]
    assert {later - earlier for earlier, later in pairwise(stamps)} == {1_000_000_000}


def test_at_pace_max_the_first_bar_is_the_same_on_any_day():
    assert to_datetime(taken(1)[0].time).isoformat() == "2024-01-02T14:30:00+00:00"


def test_at_live_pace_the_first_bar_is_the_last_that_is_over():
    before = time.time_ns()
    feed = SyntheticFeed(universe=UNIVERSE, timeframe="1Sec", pace="1x")
    feed.prepare()
    first = next(feed.bars()).time
    assert before - 2_000_000_000 < first <= time.time_ns() - 1_000_000_000
    assert next(feed.bars()).time == first


def test_a_start_within_a_bar_begins_with_that_bar():
    assert to_datetime(taken(1, start="2024-03-05T12:00:30-05:00")[0].time).isoformat() == "2024-03-05T17:00:00+00:00"


@pytest.mark.parametrize("start", ["soon", "2024-01-02T14:30:00", "1890-01-01T00:00:00Z", "2300-01-01T00:00:00Z"])
def test_another_start_is_refused(start):
    with pytest.raises(InvalidValue):
        SyntheticFeed(universe=UNIVERSE, start=start)


def test_the_stream_ends_before_stamps_do():
    bars = taken(universe=("SPY",), timeframe="1Day", start="2199-12-01T00:00:00Z")
    assert to_datetime(bars[-1].time).astimezone(UTC).year == 2200


@pytest.mark.parametrize("count", [1, 390, 1000])
def test_the_summary_tells_what_will_come(count):
    feed = SyntheticFeed(universe=UNIVERSE, bars=count)
    feed.prepare()
    bars, summary = list(feed.bars()), feed.summary()
    assert summary["bars"] == len(bars) == 2 * count
    assert summary["first"] == to_datetime(bars[0].time).isoformat()
    assert summary["last"] == to_datetime(bars[-1].time).isoformat()
    json.dumps(summary)


def test_an_endless_feed_says_so():
    feed = SyntheticFeed(universe=UNIVERSE)
    assert feed.endless
    assert feed.summary()["bars"] is None


CALL, PUT = "SPY240119C00100000", "SPY240119P00100000"


def test_an_option_has_bars_until_it_expires_and_its_underlying_has_more():
    days = taken(universe=("SPY", CALL), timeframe="1Day", bars=30)
    last = to_datetime(of(CALL, days)[-1].time).astimezone(NEW_YORK)
    assert (last.month, last.day) == (1, 19)
    assert len(of("SPY", days)) == 30


def test_the_summary_counts_the_bars_of_options_that_expire():
    feed = SyntheticFeed(universe=("SPY", CALL), timeframe="1Day", bars=30)
    feed.prepare()
    assert feed.summary()["bars"] == len(list(feed.bars()))


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_options_are_worth_no_less_than_their_exercise_and_keep_the_parity(seed):
    for stock, call, put in zip(*[iter(taken(30, ("SPY", CALL, PUT), seed=seed))] * 3, strict=True):
        assert call.close >= stock.close - 100 - 0.02
        assert put.close >= 100 - stock.close - 0.02
        assert abs(call.close - put.close - (stock.close - 100)) < 0.02


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_options_are_quoted_around_their_close_in_whole_cents(seed):
    for bar in of(CALL, taken(100, ("SPY", CALL), seed=seed)):
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.bid == 0 or bar.bid + bar.ask == pytest.approx(2 * bar.close)
        assert bar.bid < bar.close < bar.ask
        assert all(round(price, 2) == price for price in (bar.open, bar.high, bar.low, bar.close, bar.bid, bar.ask))


def test_an_underlying_does_not_depend_on_its_options():
    assert of("SPY", taken(600, ("SPY", CALL))) == taken(300, ("SPY",))


def test_on_its_last_day_an_option_closes_at_the_worth_of_its_exercise():
    days = taken(universe=("SPY", CALL, PUT), timeframe="1Day", bars=20, seed=3)
    stock = {bar.time: bar.close for bar in of("SPY", days)}
    call, put = of(CALL, days)[-1], of(PUT, days)[-1]
    assert call.close == pytest.approx(max(stock[call.time] - 100, 0.01))
    assert put.close == pytest.approx(max(100 - stock[put.time], 0.01))


@pytest.mark.parametrize(
    ("universe", "start", "reason"),
    [
        ((CALL,), "2024-01-02T14:30:00Z", "needs its underlying SPY"),
        (("SPY", CALL), "2024-02-01T14:30:00Z", "has expired by the feed's start"),
    ],
)
def test_an_option_that_cannot_be_priced_is_refused(universe, start, reason):
    feed = SyntheticFeed(universe=universe, start=start)
    with pytest.raises(FeedError, match=reason):
        feed.prepare()
