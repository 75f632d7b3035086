from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.ibkr.feed import IbkrBars
from brokers.pacing import RateLimit, shared
from brokers.tradier.adapter import TradierBrokerage
from brokers.tradier.feed import TradierBars


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def limit(time):
    return RateLimit(3, 60.0, clock=time, sleep=time.sleep)


def test_calls_within_the_limit_do_not_wait(limit, time):
    for _ in range(3):
        limit.wait()

    assert time.now == 100.0


def test_one_call_too_many_waits_until_the_oldest_is_a_window_ago(limit, time):
    limit.wait()
    time.now += 10
    for _ in range(3):
        limit.wait()

    assert time.now == 160.0


def test_a_cancel_goes_at_once_and_counts(limit, time):
    for _ in range(3):
        limit.count()
    limit.wait()

    assert time.now == 160.0


@pytest.mark.parametrize("expiry", ["1700000020", "1700000020000"])
def test_the_venues_own_word_closes_the_window_until_its_end(limit, time, expiry):
    limit.hear({"X-Ratelimit-Available": "0", "X-Ratelimit-Expiry": expiry}, wall=1_700_000_000.0)
    limit.wait()

    assert time.now == 120.0


@pytest.mark.parametrize("headers", [{}, {"X-Ratelimit-Available": "5"}, {"X-Ratelimit-Available": "many"}])
def test_headers_that_say_nothing_change_nothing(limit, time, headers):
    limit.hear(headers)
    limit.wait()

    assert time.now == 100.0


def test_who_shares_a_limit_waits_for_the_calls_of_the_others(limit, time):
    account = object()
    one, other = shared(account, limit), shared(account, RateLimit(3, 60.0))
    one.wait()
    other.count()
    one.wait()
    other.wait()

    assert time.now == 160.0


def test_whoever_waits_can_give_up_in_a_way_of_its_own(limit, time):
    def give_up(seconds: float) -> None:
        raise TimeoutError(seconds)

    for _ in range(3):
        limit.wait(give_up)
    with pytest.raises(TimeoutError, match="60"):
        limit.wait(give_up)

    limit.wait()
    assert time.now == 160.0


def alpaca(secret: str) -> list[RateLimit]:
    adapter = AlpacaBrokerage("key", secret)
    adapter.reach()
    return [adapter._rest._limit]


def tradier(token: str) -> list[RateLimit]:
    adapter = TradierBrokerage(token, "VA1")
    return [adapter._limit, adapter._order_limit]


LIMITS: dict[str, Callable[[Any], list[RateLimit]]] = {
    "alpaca": alpaca,
    "tradier": tradier,
    "tradier's bars": lambda token: [TradierBars(token)._limit],
    "ibkr's recorded bars": lambda host: [IbkrBars(host)._asking],
}


@pytest.mark.parametrize("venue", LIMITS)
def test_the_sessions_of_an_account_share_its_limits_and_no_others(venue: str) -> None:
    limits = LIMITS[venue]
    assert all(one is other for one, other in zip(limits("one"), limits("one"), strict=True))
    assert not {*map(id, limits("one"))} & {*map(id, limits("another"))}
    assert len({*map(id, limits("one"))}) == len(limits("one"))
