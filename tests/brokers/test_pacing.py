import pytest

from brokers.pacing import RateLimit


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
