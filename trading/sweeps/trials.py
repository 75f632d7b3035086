"""One trial: the same engine, venue, limits and figures as a backtest's, without a run and without a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import numpy as np

from trading.engine.bars import Bar
from trading.engine.records import plain
from trading.feeds.base import IFeed
from trading.metrics import daily_levels
from trading.parts import Parts, assemble_simulated
from trading.recipes import Recipe
from trading.sweeps.digest import Grid, packed
from trading.sweeps.spec import Params, with_parameters
from trading.sweeps.statistics import moments

#: Bars that are kept as objects between trials; of more than these the columns are kept and the bars made again.
KEPT_BARS: Final = 250_000


class SharedFeed(IFeed):
    """A feed that was read once, for many runs over the same bars: they are never changed, so that all may share."""

    def __init__(self, parts: Parts) -> None:
        feed = self._feed = parts.feed
        super().__init__(feed.universe)
        feed.prepare()
        self.timeframe, self.interval, self.pace = feed.timeframe, feed.interval, feed.pace
        self.event_time, self.synthetic, self.endless = feed.event_time, feed.synthetic, feed.endless
        self._bounded = parts.bars
        kept = list(islice(parts.bars(), KEPT_BARS + 1))
        self._kept = kept if len(kept) <= KEPT_BARS else None
        self._summary = feed.summary()

    def prepare(self) -> None:
        """It is, or this would not be."""

    def bars(self) -> Iterator[Bar]:
        return self._bounded() if self._kept is None else iter(self._kept)

    def summary(self) -> dict[str, Any]:
        return self._summary


@dataclass(frozen=True)
class Outcome:
    """A trial's figures as a backtest of the same recipe has them, and its returns on the sweep's moments.

    ``whole`` is False for one that was told to stop; its figures are of no use.
    """

    whole: bool
    figures: dict[str, Any] = field(default_factory=dict)
    score: float | None = None
    period_sharpe: float | None = None
    ledger_hash: str = ""
    digest: bytes = b""


class Material:
    """What the trials of one sweep share: the recipe, its bars, read once, and the moments of the digests."""

    def __init__(self, recipe: Recipe, objective: str) -> None:
        self.recipe = recipe
        self.objective = objective
        parts = assemble_simulated(recipe)
        parts.check_ends()
        self.feed = SharedFeed(parts)
        self.grid = Grid.of(np.fromiter((bar.time for bar in self.feed.bars()), np.int64))

    def run(self, params: Params, goes_on: Callable[[], bool] = lambda: True) -> Outcome:
        """Run one trial to its end, or until ``goes_on``, asked every few thousand bars, says otherwise."""
        started = time.perf_counter()
        parts = replace(assemble_simulated(with_parameters(self.recipe, params)), feed=self.feed)
        parts.prepare()
        engine = parts.engine(uuid4())
        done = parts.passed(engine, lambda bars: goes_on())
        if not done.whole and not engine.halted:
            return Outcome(whole=False)
        levels, _, _ = daily_levels(done.times, done.equity, done.cash)
        of = moments(np.diff(levels) / levels[:-1])
        figures = {
            **done.figures,
            "final_equity": plain(engine.portfolio.equity),
            "bars": engine.bars,
            "fills": engine.fills,
            "halted": engine.halted,
            "moments": None if of is None else of._asdict(),
            "seconds": round(time.perf_counter() - started, 4),
        }
        return Outcome(
            whole=True,
            figures=figures,
            score=done.figures[self.objective],
            period_sharpe=None if of is None else of.sharpe,
            ledger_hash=done.ledger_hash,
            digest=packed(self.grid.returns(done.times, done.equity, done.cash)),
        )
