"""What the finished trials of a sweep say together: the best, how much of it is luck, and what walked forward."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Max, Q, Variance

from trading.engine.bars import to_datetime
from trading.metrics import TRADING_DAYS
from trading.rows import moment
from trading.sweeps.digest import Grid, unpacked
from trading.sweeps.models import Sweep, SweepTrial
from trading.sweeps.scores import scores
from trading.sweeps.spec import WalkForward
from trading.sweeps.statistics import Moments, deflated_sharpe, effective_trials, expected_best, overfitting
from trading.sweeps.statistics import probabilistic_sharpe as probabilistic
from trading.sweeps.walk_forward import Fold, stitched, walk_forward

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

#: Points of a curve that is drawn.
_DRAWN: Final = 240


def luck(sweep: Sweep, independent: float | None = None) -> Row | None:
    """How likely the trial with the best Sharpe ratio is luck, by those that are done; None while there is none.

    ``trials`` have a Sharpe ratio; ``expected_best`` is what the best of as many worthless ones would show and
    ``deflated_sharpe`` the probability that the best is better than that, all of them taken as independent;
    ``probabilistic_sharpe`` the probability that it is above zero, had it been the only one. ``independent``, where
    known, gives the ``effective`` figures beside them. Sharpe ratios are annualised.
    """
    done = sweep.trials.filter(period_sharpe__isnull=False)
    told = done.aggregate(count=Count("id"), variance=Variance("period_sharpe", sample=True), most=Max("period_sharpe"))
    best = done.filter(period_sharpe=told["most"]).order_by("number").first() if told["count"] else None
    if best is None:
        return None
    of = Moments(**best.figures["moments"])
    variance, count = told["variance"] or 0.0, told["count"]
    # Annualised as the trial's own Sharpe ratio is.
    year = best.sharpe / of.sharpe if best.sharpe and of.sharpe else float(np.sqrt(TRADING_DAYS))
    found = {
        "trials": count,
        "number": best.number,
        "params": best.params,
        "sharpe": of.sharpe * year,
        "expected_best": expected_best(count, variance) * year,
        "probabilistic_sharpe": probabilistic(of),
        "deflated_sharpe": deflated_sharpe(of, count, variance),
        "effective": None,
    }
    if independent is not None:
        found["effective"] = {
            "trials": independent,
            "expected_best": expected_best(independent, variance) * year,
            "deflated_sharpe": deflated_sharpe(of, independent, variance),
        }
    return found


def of(sweep: Sweep) -> Row:
    """``luck``, the probability of backtest overfitting, and the walk-forward analysis where it was asked for."""
    trials = list(sweep.trials.filter(~Q(digest=None), error="").only("number", "params", "digest").order_by("number"))
    if not trials or not sweep.grid:
        return {"luck": None, "overfitting": None, "walk_forward": None}
    returns = np.vstack([unpacked(bytes(trial.digest or b"")) for trial in trials])
    wanted = sweep.spec.get("walk_forward")
    return {
        "luck": luck(sweep, effective_trials(returns)),
        "overfitting": overfitting(returns),
        "walk_forward": _walked(sweep, trials, returns, WalkForward(**wanted)) if wanted else None,
    }


def _walked(sweep: Sweep, trials: list[SweepTrial], returns: Floats, wanted: WalkForward) -> Row | None:
    assert sweep.grid is not None
    grid, objective = Grid.from_json(sweep.grid), sweep.spec["objective"]
    folds = walk_forward(returns, objective, grid.per_year, wanted)
    if not folds:
        return None
    tested = stitched(returns, folds)
    inside = [fold.in_sample for fold in folds if fold.in_sample is not None]
    outside = [fold.out_of_sample for fold in folds if fold.out_of_sample is not None]
    mean_in, mean_out = (float(np.mean(one)) if one else None for one in (inside, outside))
    hindsight = int(np.nanargmax(np.nan_to_num(scores(objective, returns, grid.per_year), nan=-np.inf)))
    periods = slice(folds[0].split.test, folds[-1].split.end)
    return {
        "folds": [_fold(fold, trials, grid) for fold in folds],
        "in_sample": mean_in,
        "out_of_sample": mean_out,
        # Pardo's walk-forward efficiency: what is left of the score once the choice was made.
        "efficiency": mean_out / mean_in if mean_in is not None and mean_out is not None and mean_in > 0 else None,
        "total_return": float(np.prod(1 + tested) - 1),
        "sharpe": _known(scores("sharpe", tested[None], grid.per_year)[0]),
        "hindsight": trials[hindsight].number,
        "curve": _curve(grid, periods, tested, returns[hindsight, periods]),
    }


def _fold(fold: Fold, trials: list[SweepTrial], grid: Grid) -> Row:
    trial, split = None if fold.chosen is None else trials[fold.chosen], fold.split
    return {
        "number": None if trial is None else trial.number,
        "params": None if trial is None else trial.params,
        "from": moment(to_datetime(int(grid.times[split.train]))),
        "test": moment(to_datetime(int(grid.times[split.test]))),
        "to": moment(to_datetime(int(grid.times[split.end - 1]))),
        "in_sample": fold.in_sample,
        "out_of_sample": fold.out_of_sample,
    }


def _curve(grid: Grid, periods: slice, tested: Floats, hindsight: Floats) -> list[list[float]]:
    """``[time, walked forward, best in hindsight]``: growth of one unit over the tests."""
    times = grid.times[periods]
    kept = np.arange(len(times) - 1, -1, -max(1, -(-len(times) // _DRAWN)))[::-1]
    walked, best = np.cumprod(1 + tested), np.cumprod(1 + hindsight)
    return [[int(times[at]), float(walked[at]), float(best[at])] for at in kept]


def _known(figure: float) -> float | None:
    return float(figure) if np.isfinite(figure) else None
