from hypothesis import given
from hypothesis import strategies as st

from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.feeds.building import BarBuilder

SECOND = NANOS_PER_SECOND
MINUTE = 60 * SECOND


def part(time: int, price: float, volume: float = 1.0, symbol: str = "A") -> Bar:
    return Bar(symbol, time, price, price + 1, price - 1, price, volume)


def test_a_bar_is_complete_with_its_last_part():
    builder = BarBuilder(5 * SECOND, 15 * SECOND)

    assert builder.take(part(0, 10)) == builder.take(part(5 * SECOND, 12)) == []
    assert builder.take(part(10 * SECOND, 11)) == [Bar("A", 0, 10, 13, 9, 11, 3)]


def test_a_part_of_a_later_bar_completes_the_one_before():
    builder = BarBuilder(5 * SECOND, 15 * SECOND)
    builder.take(part(0, 10))

    assert builder.take(part(15 * SECOND, 20)) == [part(0, 10)]


def test_a_bar_without_its_last_parts_is_complete_when_its_time_is_over():
    builder = BarBuilder(5 * SECOND, MINUTE)
    builder.take(part(0, 10))

    assert builder.flush(MINUTE - 1) == []
    assert builder.flush(MINUTE) == [part(0, 10)]
    assert builder.flush(2 * MINUTE) == []


def test_parts_that_come_in_a_burst_long_after_their_time_make_one_bar():
    clock = iter([0.0, 0.1, 0.2, 5.0])
    builder = BarBuilder(5 * SECOND, MINUTE, clock=lambda: next(clock))
    builder.take(part(0, 10))

    assert builder.flush(5 * MINUTE, quiet=1.0) == []
    builder.take(part(5 * SECOND, 12))
    assert [bar.volume for bar in builder.flush(5 * MINUTE, quiet=1.0)] == [2.0]


def test_what_comes_for_a_bar_that_was_given_is_left_out():
    builder = BarBuilder(5 * SECOND, MINUTE)
    builder.take(part(0, 10))
    builder.flush(MINUTE)

    assert builder.take(part(55 * SECOND, 99)) == []


def test_a_part_as_long_as_the_bar_is_the_bar():
    assert BarBuilder(MINUTE, MINUTE).take(part(MINUTE, 10)) == [part(MINUTE, 10)]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 50)), unique_by=lambda one: one[0], min_size=1))
def test_no_volume_is_lost_and_no_bar_comes_twice(drawn):
    builder = BarBuilder(SECOND, 15 * SECOND)
    parts = [part(second * SECOND, float(price)) for second, price in sorted(drawn)]
    bars = [bar for one in parts for bar in builder.take(one)] + builder.flush(1000 * SECOND)

    assert sum(bar.volume for bar in bars) == len(parts)
    assert [bar.time for bar in bars] == sorted({one.time - one.time % (15 * SECOND) for one in parts})
    assert all(bar.low <= bar.open <= bar.high and bar.low <= bar.close <= bar.high for bar in bars)
