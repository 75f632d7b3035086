"""The market of stubs that are started by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.venues import market

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@given(st.integers(0, 10**6), st.floats(1, 1000))
def test_bars_follow_each_other_and_are_the_same_for_the_same_seed(seed, price):
    price = round(price, 2)
    minutes = list(islice(market.wander({"SPY": price, "IBM": price}, START, seed), 50))
    assert minutes == list(islice(market.wander({"SPY": price, "IBM": price}, START, seed), 50))
    for bars in minutes:
        for bar in bars:
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    for before, after in pairwise(minutes):
        assert after[0].start - before[0].start == market.MINUTE
        assert [bar.open for bar in after] == [bar.close for bar in before]


class Moved(threading.Event):
    """Somebody lets a price fall while a minute passes, and another, and then the market ends."""

    def __init__(self, last: dict[str, float]) -> None:
        super().__init__()
        self._last = last

    def wait(self, timeout: float | None = None) -> bool:
        self._last["SPY"] -= 70
        return self._last["SPY"] < 300


def test_a_market_goes_on_from_a_price_that_somebody_has_moved_meanwhile():
    shown, last = [], {"SPY": 450.0}
    market.run({"SPY": 450.0}, shown.append, every=60, seed=1, over=Moved(last), last=last)

    assert [bar.open for bar in shown] == [380.0, 310.0]
    assert all(abs(bar.close - bar.open) < 10 for bar in shown)


def test_a_market_that_is_faster_than_time_shows_the_past_and_ends_when_it_is_told_to():
    shown, over = [], threading.Event()

    def show(bar):
        shown.append(bar)
        if len(shown) == 20:
            over.set()

    began = time.monotonic()
    market.run({"SPY": 450.0}, show, every=0.001, seed=1, over=over)
    assert time.monotonic() - began < 5
    assert len(shown) == 20
    assert shown[-1].start + market.MINUTE < datetime.now(UTC)
