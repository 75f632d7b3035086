"""Each indicator against a vectorised reference over the whole series."""

import math

import exchange_calendars
import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.builders import MINUTE
from trading.engine import indicators
from trading.engine.bars import Bar
from trading.engine.errors import InvalidValue

#: Monday 2024-07-01, 09:30 in New York; the 3rd is a half day, the 4th a holiday.
OPENING = 1_719_840_600_000_000_000
FEW = settings(max_examples=25, deadline=None)
PERIODS = st.integers(1, 12)
CENTS = st.integers(1, 100_000)


@st.composite
def markets(draw):
    """Bars of one symbol, half an hour apart, as a list and as a frame."""
    rows = []
    for time in range(draw(st.integers(1, 60))):
        low, middle, high = sorted(draw(st.lists(CENTS, min_size=3, max_size=3)))
        volume = float(draw(st.integers(0, 10_000)))
        rows.append(Bar("SPY", OPENING + 30 * time * MINUTE, middle / 100, high / 100, low / 100, middle / 100, volume))
    return rows, pd.DataFrame([msgspec.structs.asdict(row) for row in rows])


def wilder(series, period):
    """Wilder's average, from the mean of the first figures."""
    figures = series.to_numpy(dtype=float)
    out = np.full(len(figures), np.nan)
    if len(figures) >= period:
        seeded = pd.Series(np.concatenate([[figures[:period].mean()], figures[period:]]))
        out[period - 1 :] = seeded.ewm(alpha=1 / period, adjust=False).mean()
    return pd.Series(out, index=series.index)


def ema(closes, period):
    out = np.full(len(closes), np.nan)
    if len(closes) >= period:
        seeded = pd.Series(np.concatenate([[closes[:period].mean()], closes[period:]]))
        out[period - 1 :] = seeded.ewm(span=period, adjust=False).mean()
    return out


def rsi(frame, period):
    change = frame.close.diff().iloc[1:]
    gains, losses = wilder(change.clip(lower=0), period), wilder(-change.clip(upper=0), period)
    moves = (gains + losses).to_numpy()
    found = np.where(
        moves > 0, 100 * gains.to_numpy() / np.where(moves > 0, moves, 1), np.where(moves == 0, 50, np.nan)
    )
    return np.concatenate([[np.nan], found])


def atr(frame, period):
    before = frame.close.shift()
    ranges = pd.concat([frame.high - frame.low, (frame.high - before).abs(), (frame.low - before).abs()], axis=1)
    return wilder(ranges.max(axis=1), period)


def zscore(closes, period):
    rolled = closes.rolling(period)
    deviation = rolled.apply(lambda window: 0.0 if len(set(window)) == 1 else np.std(window), raw=True)
    return (closes - rolled.mean()) / deviation.where(deviation > 0)


def rolling_vwap(frame, period):
    typical = (frame.high + frame.low + frame.close) / 3
    volume = frame.volume.rolling(period).sum()
    return (typical * frame.volume).rolling(period).sum() / volume.where(volume > 0)


def vwap(frame, calendar):
    table = exchange_calendars.get_calendar(calendar, start="2024-01-02", end="2024-12-31")
    times = frame.time.to_numpy()
    session = np.searchsorted(table.closes_nanos, times, side="right")
    typical = (frame.high + frame.low + frame.close) / 3
    volume = frame.volume.groupby(session).cumsum()
    return (typical * frame.volume).groupby(session).cumsum() / volume.where(volume > 0)


CASES = {
    "Sma": (indicators.Sma, "close", "value", lambda f, n: f.close.rolling(n).mean()),
    "Ema": (indicators.Ema, "close", "value", lambda f, n: ema(f.close, n)),
    "Rsi": (indicators.Rsi, "close", "value", rsi),
    "ZScore": (indicators.ZScore, "close", "value", lambda f, n: zscore(f.close, n)),
    "Bollinger": (indicators.Bollinger, "close", "value", lambda f, n: f.close.rolling(n).mean()),
    "upper band": (
        indicators.Bollinger, "close", "upper",
        lambda f, n: f.close.rolling(n).mean() + 2 * f.close.rolling(n).apply(np.std, raw=True),
    ),
    "lower band": (
        indicators.Bollinger, "close", "lower",
        lambda f, n: f.close.rolling(n).mean() - 2 * f.close.rolling(n).apply(np.std, raw=True),
    ),
    "RateOfChange": (indicators.RateOfChange, "close", "value", lambda f, n: f.close / f.close.shift(n) - 1),
    "Atr": (indicators.Atr, None, "value", atr),
    "channel's top": (indicators.Donchian, None, "upper", lambda f, n: f.high.rolling(n).max()),
    "channel's bottom": (indicators.Donchian, None, "lower", lambda f, n: f.low.rolling(n).min()),
    "RollingVwap": (indicators.RollingVwap, None, "value", rolling_vwap),
}  # fmt: skip
MAKERS = [indicators.Vwap, *(lambda cls=cls: cls(3) for cls, *_ in CASES.values())]


def seen_by(indicator, bar):
    of_bars = indicators.Atr, indicators.Donchian, indicators.RollingVwap, indicators.Vwap
    return bar if isinstance(indicator, of_bars) else bar.close


def same(found, expected):
    np.testing.assert_allclose(
        np.array([math.nan if value is None else value for value in found]), expected, rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("name", CASES)
@FEW
@given(market=markets(), period=PERIODS)
def test_an_indicator_equals_its_vectorised_reference(name, market, period):
    cls, column, figure, reference = CASES[name]
    bars, frame = market
    indicator, found = cls(period), []
    for bar in bars:
        value = indicator.update(bar if column is None else getattr(bar, column))
        assert value == indicator.value and indicator.ready == (value is not None)
        found.append(getattr(indicator, figure))
    same(found, reference(frame, period))


@FEW
@given(markets())
def test_the_sessions_vwap_begins_anew_after_each_close(market):
    bars, frame = market
    indicator = indicators.Vwap()
    same([indicator.update(bar) for bar in bars], vwap(frame, "XNYS"))


@pytest.mark.parametrize("make", MAKERS)
@FEW
@given(market=markets(), cut=st.integers(0, 60))
def test_an_indicator_goes_on_from_json_as_if_nothing_had_happened(make, market, cut):
    kept = make()
    for bar in market[0][:cut]:
        kept.update(seen_by(kept, bar))
    restored = msgspec.json.decode(msgspec.json.encode(kept), type=type(kept))
    for bar in market[0][cut:]:
        assert restored.update(seen_by(kept, bar)) == kept.update(seen_by(kept, bar))
    assert restored == kept


@pytest.mark.parametrize("cls", [indicators.Sma, indicators.ZScore, indicators.Bollinger, indicators.RollingVwap])
def test_what_has_left_the_window_leaves_no_trace(cls):
    """After prices of another order of magnitude the figures are, to the last bit, those of a fresh indicator."""
    old, fresh = cls(5), cls(5)
    for number in range(2_000):
        price = 9_999_999.99 / (1 + number % 7)
        bar = Bar("SPY", OPENING, price, price, price, price, 1e6)
        old.update(seen_by(old, bar))
    for price in (0.01, 0.0101, 0.0103, 0.0102, 0.0107):
        bar = Bar("SPY", OPENING, price, price, price, price, 3.0)
        assert old.update(seen_by(old, bar)) is not None
        fresh.update(seen_by(fresh, bar))
    assert old.value == fresh.value is not None


def test_a_period_of_nothing_is_refused():
    with pytest.raises(InvalidValue, match="period"):
        indicators.Sma(0)
