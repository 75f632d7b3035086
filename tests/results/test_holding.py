import pytest

from tests.results.builders import DAY, FIRST
from trading.engine.bars import Bar
from trading.results import benchmark_of, buy_and_hold


def bar(day, symbol, opening, close):
    return Bar(symbol, FIRST + day * DAY, opening, max(opening, close), min(opening, close), close, 100.0)


def test_equal_parts_are_bought_at_each_first_open_and_held():
    """500 in each: 5 of A at 100 and, a day later, 10 of B at 50."""
    bars = [
        bar(0, "A", 100, 110),
        bar(1, "A", 110, 120),
        bar(1, "B", 50, 60),
        bar(2, "A", 120, 90),
        bar(2, "B", 60, 70),
    ]
    times, equity = buy_and_hold(bars, ["A", "B"], 1000.0)
    assert ((times - FIRST) // DAY).tolist() == [0, 1, 2]
    assert equity.tolist() == [1050.0, 1200.0, 1150.0]


def test_it_ends_where_the_run_ended():
    times, _ = buy_and_hold([bar(day, "A", 100, 100) for day in range(5)], ["A"], 1000.0, last=FIRST + 2 * DAY)
    assert len(times) == 3


def test_options_are_left_out():
    bars = [bar(0, "TWX140621C00070000", 1, 2), bar(0, "TWX", 70, 77)]
    _, equity = buy_and_hold(bars, ["TWX140621C00070000", "TWX"], 1000.0)
    assert equity.tolist() == [1100.0]


def test_its_figures_are_those_of_any_curve_and_its_curve_is_thin():
    bars = [bar(day, "A", 100 + day, 101 + day) for day in range(1000)]
    found = benchmark_of(*buy_and_hold(bars, ["A"], 1000.0), 1000.0)
    assert found["total_return"] == pytest.approx(10.0)
    assert len(found["curve"]) == 240
    assert found["curve"][-1] == [(FIRST + 999 * DAY) / 1e9, pytest.approx(11_000.0)]


def test_without_a_bar_there_is_no_comparison():
    assert benchmark_of(*buy_and_hold([], ["A"], 1000.0), 1000.0) is None
