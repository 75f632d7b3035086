from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.results.builders import daily
from trading.engine.bars import to_nanos
from trading.results.periods import daily_returns, monthly, spread


def test_months_go_from_one_months_last_equity_to_the_nexts():
    stamps = ["2023-11-30", "2023-12-15", "2023-12-29", "2024-02-01"]
    times = np.array([to_nanos(datetime.fromisoformat(one).replace(tzinfo=UTC)) for one in stamps])
    found = monthly(times, np.array([110.0, 50.0, 121.0, 60.5]), 100.0)
    assert [(one.year, one.whole) for one in found] == [(2023, pytest.approx(0.21)), (2024, pytest.approx(-0.5))]
    assert found[0].months == [None] * 10 + [pytest.approx(0.1), pytest.approx(0.1)]
    assert found[1].months == [None, pytest.approx(-0.5)] + [None] * 10


def test_without_a_point_there_is_no_month_and_no_day():
    assert monthly(*daily([]), 100.0) == []
    assert daily_returns(*daily([]), 100.0).tolist() == []


def test_a_day_is_its_last_equity_over_the_one_before():
    assert daily_returns(*daily([110.0, 99.0, 99.0]), 100.0).tolist() == pytest.approx([0.1, -0.1, 0.0])


@given(st.lists(st.floats(-0.5, 0.5).map(lambda one: round(one, 4)), min_size=1, max_size=200))
def test_every_value_is_counted_once_and_zero_is_a_border(values):
    bins = spread(values)
    assert sum(one.count for one in bins) == len(values)
    assert all(one.high <= 1e-12 or one.low >= -1e-12 for one in bins)
    assert len(bins) <= 33
    losses = sum(one.count for one in bins if one.high <= 1e-12 and one.low < 0)
    assert losses == sum(value < 0 for value in values)


def test_equal_values_and_none_at_all_have_a_spread_too():
    assert [one.count for one in spread([0.0, 0.0])] == [2]
    assert spread([]) == []
