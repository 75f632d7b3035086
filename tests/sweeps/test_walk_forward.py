"""Choose by the past, judge by what came after."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.sweeps.digest import Grid, packed, unpacked
from trading.sweeps.scores import scores
from trading.sweeps.spec import WalkForward
from trading.sweeps.walk_forward import splits, stitched, walk_forward

DAY = 86_400_000_000_000


def test_rolling_windows_move_with_their_tests() -> None:
    found = splits(50, WalkForward(folds=2, train=3))
    assert [(one.train, one.test, one.end) for one in found] == [(0, 30, 40), (10, 40, 50)]


def test_anchored_windows_grow_from_the_beginning() -> None:
    found = splits(50, WalkForward(folds=2, train=3, anchored=True))
    assert [(one.train, one.test, one.end) for one in found] == [(0, 30, 40), (0, 40, 50)]


def test_too_few_periods_make_no_split() -> None:
    assert splits(10, WalkForward(folds=5, train=3)) == []


@given(st.integers(0, 600), st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_a_test_follows_its_training_and_the_next_test_follows_it(
    periods: int, folds: int, train: int, anchored: bool
) -> None:
    found = splits(periods, WalkForward(folds=folds, train=train, anchored=anchored))
    assert not found or (len(found) == folds and found[-1].end == periods)
    for split in found:
        assert 0 <= split.train < split.test < split.end
    for one, other in pairwise(found):
        assert one.end == other.test


def test_the_best_of_the_past_is_what_is_held_in_the_test() -> None:
    # Two trials that change places: each is best in one training window, and loses right after it.
    first = np.array([0.01] * 5 + [-0.02] * 5 + [0.03] * 5)
    returns = np.vstack([first, -first])
    folds = walk_forward(returns, "total_return", 252, WalkForward(folds=2, train=1))
    assert [fold.chosen for fold in folds] == [0, 1]
    assert [fold.out_of_sample for fold in folds] == pytest.approx([0.98**5 - 1, 0.97**5 - 1])
    assert stitched(returns, folds).tolist() == [-0.02] * 5 + [-0.03] * 5


def test_nothing_is_held_where_nothing_could_be_chosen() -> None:
    folds = walk_forward(np.zeros((2, 15)), "sharpe", 252, WalkForward(folds=2, train=1))
    assert [fold.chosen for fold in folds] == [None, None]
    assert stitched(np.zeros((2, 15)), folds).tolist() == [0.0] * 10


@given(st.data())
def test_no_choice_depends_on_what_comes_after(data: st.DataObject) -> None:
    """Whatever the returns after a cut are, what was chosen before it is the same."""
    made = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    returns = made.normal(size=(4, 40)) / 100
    wanted = WalkForward(folds=4, train=1)
    before = walk_forward(returns, "sharpe", 252, wanted)
    at = data.draw(st.sampled_from(before)).split.test
    changed = returns.copy()
    changed[:, at:] = made.normal(size=changed[:, at:].shape)
    after = walk_forward(changed, "sharpe", 252, wanted)
    for one, other in zip(before, after, strict=True):
        assert one.split.test > at or one.chosen == other.chosen


def test_scores_by_hand() -> None:
    returns = np.array([[0.1, -0.1, 0.2]])
    assert scores("total_return", returns, 252)[0] == pytest.approx(1.1 * 0.9 * 1.2 - 1)
    # Mean 1/15; deviations 1/30, -1/6, 2/15: squares sum to 0.0466667, over 2.
    assert scores("sharpe", returns, 4)[0] == pytest.approx((1 / 15) / np.sqrt(0.0466667 / 2) * 2, rel=1e-6)
    assert scores("sortino", returns, 4)[0] == pytest.approx((1 / 15) / np.sqrt(0.01 / 3) * 2)
    assert scores("calmar", returns, 3)[0] == pytest.approx(0.188 / 0.1)


def test_returns_run_from_moment_to_moment_from_the_starting_cash() -> None:
    grid = Grid(np.array([10, 20, 30]), 252.0)
    found = grid.returns(np.array([5, 10, 15, 25]), np.array([90.0, 110.0, 120.0, 99.0]), 100.0)
    assert found.tolist() == pytest.approx([0.1, 120 / 110 - 1, 99 / 120 - 1])


def test_a_curve_that_ends_early_stays_where_it_was() -> None:
    grid = Grid(np.array([10, 20, 30]), 252.0)
    assert grid.returns(np.array([10]), np.array([50.0]), 100.0).tolist() == [-0.5, 0.0, 0.0]


def test_moments_are_the_ends_of_days_where_there_are_enough_of_them() -> None:
    stamps = np.array([day * DAY + minute for day in range(100) for minute in (1, 2)], np.int64)
    grid = Grid.of(stamps)
    assert grid.times.tolist() == [day * DAY + 2 for day in range(100)]
    assert grid.per_year == 252


def test_of_few_days_the_bars_tell_more() -> None:
    stamps = np.array([day * DAY + minute for day in range(30) for minute in (1, 2)], np.int64)
    grid = Grid.of(stamps)
    assert grid.times.tolist() == stamps.tolist()
    assert grid.per_year == 504


def test_a_long_history_is_thinned_and_its_year_with_it() -> None:
    grid = Grid.of(np.arange(2000, dtype=np.int64) * DAY)
    assert len(grid.times) == 500
    assert grid.times[-1] == 1999 * DAY
    assert grid.per_year == 63


def test_a_digest_keeps_what_it_was_given() -> None:
    returns = np.array([0.5, -0.25, 0.0])
    assert unpacked(packed(returns)).tolist() == returns.tolist()
