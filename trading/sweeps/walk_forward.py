"""Walk-forward analysis: choose by the past, judge by what came after (Pardo, 2008, chapter 11).

Each trial has run once over all bars, and a strategy knows only what came before a bar; so the folds are cuts of the
trials' returns. A test begins with the position that its parameters held at the cut, and going over from one set of
parameters to the next is not charged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from trading.sweeps.scores import scores
from trading.sweeps.spec import WalkForward

Floats = npt.NDArray[np.float64]

#: A score of fewer returns than these says nothing.
_FEWEST_PERIODS: Final = 5


@dataclass(frozen=True)
class Split:
    """Periods ``[train, test)`` to choose by and ``[test, end)`` to judge by."""

    train: int
    test: int
    end: int


@dataclass(frozen=True)
class Fold:
    """What was chosen in a split (a row of the returns), and its score in and out of sample; None where undefined.

    Where no trial has a score in sample nothing is chosen, and nothing held.
    """

    split: Split
    chosen: int | None
    in_sample: float | None
    out_of_sample: float | None


def splits(periods: int, wanted: WalkForward) -> list[Split]:
    """Tests of one length, one after another up to the end; empty where a test would be shorter than five periods."""
    length = periods // (wanted.folds + wanted.train)
    if length < _FEWEST_PERIODS:
        return []
    first = periods - wanted.folds * length
    tests = [first + fold * length for fold in range(wanted.folds)]
    return [Split(0 if wanted.anchored else test - wanted.train * length, test, test + length) for test in tests]


def walk_forward(returns: Floats, objective: str, per_year: float, wanted: WalkForward) -> list[Fold]:
    """The folds over ``returns`` (trials x periods): in each, the best trial in sample and what it did afterwards."""
    folds = []
    for split in splits(returns.shape[1], wanted):
        past = scores(objective, returns[:, split.train : split.test], per_year)
        if np.all(np.isnan(past)):
            folds.append(Fold(split, None, None, None))
            continue
        chosen = int(np.nanargmax(past))
        after = scores(objective, returns[chosen : chosen + 1, split.test : split.end], per_year)[0]
        folds.append(Fold(split, chosen, float(past[chosen]), None if np.isnan(after) else float(after)))
    return folds


def stitched(returns: Floats, folds: list[Fold]) -> Floats:
    """The returns out of sample, one test after another."""
    parts = [np.empty(0)]
    for fold in folds:
        test, end = fold.split.test, fold.split.end
        parts.append(np.zeros(end - test) if fold.chosen is None else returns[fold.chosen, test:end])
    return np.concatenate(parts)
