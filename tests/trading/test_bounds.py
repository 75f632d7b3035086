from tests.engine.builders import bar
from trading.bounds import bounded


def minutes(bars):
    return [one.close for one in bars]


def walk(count):
    return iter([bar(float(minute + 1), minute=minute) for minute in range(count)])


def test_without_bounds_all_bars_pass():
    assert minutes(bounded(walk(3), None, None)) == [1.0, 2.0, 3.0]


def test_max_bars_counts_bars_and_does_not_wait_for_another():
    source = walk(5)
    assert minutes(bounded(source, 2, None)) == [1.0, 2.0]
    assert next(source).close == 3.0


def test_the_duration_is_event_time_from_the_first_bar():
    assert minutes(bounded(walk(10), None, 3)) == [1.0, 2.0, 3.0]


def test_the_tighter_bound_ends_the_run():
    assert minutes(bounded(walk(10), 2, 5)) == [1.0, 2.0]
    assert minutes(bounded(walk(10), 9, 4)) == [1.0, 2.0, 3.0, 4.0]
