"""Candles and the charts that the server draws."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from trading.engine.bars import Bar
from trading.results.periods import Bin
from trading.tearsheet.candles import merged
from trading.tearsheet.svg import Line, Mark, histogram, ticks, time_chart
from trading.templatetags.sheets import shade, share, span

PRICES = st.lists(st.integers(1, 10_000), max_size=300)


def bars(prices):
    return [Bar("SPY", number * 10**9, one, one + 1.0, one - 0.5, one, 1.0) for number, one in enumerate(prices)]


@given(PRICES, st.integers(1, 40))
def test_merged_candles_keep_first_last_and_extremes_and_are_few(prices, most):
    candles = merged(bars(prices), most)
    assert len(candles) <= most
    if prices:
        assert (candles[0].open, candles[-1].close) == (prices[0], prices[-1])
        assert max(one.high for one in candles) == max(prices) + 1.0
        assert min(one.low for one in candles) == min(prices) - 0.5
        assert [one.time for one in candles] == sorted({one.time for one in candles})


def test_few_bars_are_their_own_candles():
    assert [tuple(one) for one in merged(bars([5, 7]))] == [(0.0, 5, 6.0, 4.5, 5), (1.0, 7, 8.0, 6.5, 7)]


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_are_few_even_and_hold_the_figures_between_them(one, other):
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    room = (found[1] - found[0]) * 1e-6
    assert found[0] - room <= low <= high <= found[-1] + room


def test_a_chart_is_well_formed_and_stays_in_its_box():
    points = [(1_700_000_000.0 + day * 86_400, 100.0 + day % 3) for day in range(30)]
    lines = [Line("equity", points), Line("drawdown", points, filled=True)]
    drawn = time_chart("A <title>", lines, str, marks=[Mark(points[3][0], 101.0, "buy")])
    root = ElementTree.fromstring(str(drawn))
    assert root.attrib["aria-label"] == "A <title>"
    numbers = [float(one) for path in root.iter("path") for one in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
    assert 0 <= min(numbers) <= max(numbers) <= 960


def test_a_chart_of_nothing_is_empty_and_one_point_is_drawn():
    assert time_chart("Nothing", [Line("equity", [])], str) == ""
    assert "plot__line" in time_chart("One", [Line("equity", [(0.0, 1.0)])], str)


def test_a_histogram_tells_losses_from_gains_by_class_and_says_each_count():
    drawn = histogram("Spread", [Bin(-2.0, 0.0, 3), Bin(0.0, 2.0, 1)], lambda value: f"{value:g}")
    root = ElementTree.fromstring(str(drawn))
    assert [(bar.attrib["class"], bar[0].text) for bar in root.iter("rect")] == [
        ("plot__bar plot__bar--loss", "-2 to 0: 3"),
        ("plot__bar plot__bar--gain", "0 to 2: 1"),
    ]


def test_months_are_written_short_and_shaded_by_their_size():
    assert [share(one) for one in (None, 0.0123, -0.0123, 0.0001)] == ["", "+1.2%", "\N{MINUS SIGN}1.2%", "0.0%"]
    assert [shade(one, 0.08) for one in (None, 0.0, 0.01, -0.05, 0.08)] == ["", "", "gain-1", "loss-3", "gain-4"]


def test_a_length_of_time_is_told_by_its_largest_unit():
    lengths = [5, 90, 3 * 3600, 86_400, 10 * 86_400]
    assert [span(one) for one in lengths] == ["5 s", "1.5 min", "3.0 h", "24.0 h", "10.0 days"]
