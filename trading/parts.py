"""The live objects that a recipe names: strategy, feed, venue and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from brokers import BROKERAGES
from brokers.base import Brokerage, IAsyncBrokerage
from brokers.sim import SimulatedBrokerage
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from trading.admission import Facts
from trading.backtest import Progress
from trading.bounds import bounded
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.risk import RiskAgent
from trading.engine.strategy import IStrategy
from trading.feeds import FEEDS
from trading.feeds.base import IFeed
from trading.feeds.live import LiveFeed
from trading.models import Mode
from trading.passes import Pass, pass_over
from trading.recipes import Recipe
from trading.recipes.credentials import check_given, completed
from trading.strategies import STRATEGIES

Made = TypeVar("Made")
Agent = TypeVar("Agent", bound=RiskManagementAgent)


@dataclass(frozen=True)
class Parts:
    """A recipe's live objects. Making them contacts nobody and reads no data."""

    recipe: Recipe
    strategy: IStrategy
    feed: IFeed
    brokerage: IAsyncBrokerage
    limits: RiskLimits

    def facts(self) -> Facts:
        """What a run of these parts is, for its row."""
        return Facts(
            mode=Mode.LIVE if self.brokerage.live else Mode.PAPER,
            venue=self.brokerage.venue,
            synthetic=self.feed.synthetic,
            live_paced=self.feed.pace is not None,
            starting_cash=self.brokerage.starting_cash,
            account=self.brokerage.account,
        )

    def bars(self) -> Iterator[Bar]:
        session = self.recipe.session
        return bounded(self.feed.bars(), session.max_bars, session.duration_minutes)

    def total_bars(self) -> int | None:
        """How many bars there will be, of a prepared feed; None while only the bars themselves can tell."""
        session = self.recipe.session
        if session.duration_minutes is not None:
            return None
        known = [count for count in (self.feed.summary().get("bars"), session.max_bars) if count is not None]
        return min(known, default=None)

    def check_ends(self) -> None:
        """Raise `InvalidValue` where the bars would never end or are still to happen, as only a session's may."""
        session = self.recipe.session
        if isinstance(self.feed, LiveFeed):
            live = self.recipe.feed.cls
            raise InvalidValue(f"feed.class: {live} is live; recorded bars are needed here: --data FILE, or ReplayFeed")
        if self.feed.endless and session.max_bars is None and session.duration_minutes is None:
            raise InvalidValue("session.max_bars: this feed never ends; a backtest needs max_bars or duration_minutes")

    def check(self, thorough: bool) -> None:
        """Raise what is wrong with a backtest of them before it begins: with all of its data, or with what of them can
        be told in a moment."""
        self.check_ends()
        if thorough:
            self.prepare()
        else:
            self.feed.glance()

    def agent(self, make: type[Agent] = RiskManagementAgent) -> Agent:  # type: ignore[assignment]
        return make(self.limits, self.brokerage.starting_cash, self.recipe.sizing)

    def engine(self, run_id: UUID, agent: RiskAgent | None = None) -> Engine:
        """The engine of a run, with an agent of its own unless it is given one."""
        return Engine(
            run_id.hex,
            self.strategy,
            agent or self.agent(),
            self.recipe.universe,
            self.brokerage.starting_cash,
            self.recipe.special_instruments(),
            self.brokerage.account_type,
        )

    def prepare(self) -> None:
        """Read and check the feed's data; raises what is wrong with it."""
        self.feed.prepare()
        self.expect(self.feed.interval)

    def expect(self, interval: int) -> None:
        """Tell the venue what bars there will be: one every ``interval`` nanoseconds."""
        self.brokerage.expect(interval, self.recipe.special_instruments())


@dataclass(frozen=True)
class SimulatedParts(Parts):
    """Those of a run that can send no order."""

    brokerage: SimulatedBrokerage

    def passed(self, engine: Engine, progress: Progress) -> Pass:
        """One pass of the engine over the bars of a prepared feed."""
        return pass_over(self.bars(), engine, self.brokerage, progress)


def assemble_simulated(recipe: Recipe) -> SimulatedParts:
    """The live objects of a backtest, a trial or a replay: a real venue's place is taken by the simulated one, with the
    same starting cash."""
    parts = assemble(recipe)
    venue = parts.brokerage
    if not isinstance(venue, SimulatedBrokerage):
        venue = SimulatedBrokerage(starting_cash=venue.starting_cash)
    return SimulatedParts(parts.recipe, parts.strategy, parts.feed, venue, parts.limits)


def assemble(recipe: Recipe, **secrets: Any) -> Parts:
    """Make the live objects that a recipe names; ``secrets`` fill in what its feed and brokerage leave out."""
    strategy, feed, brokerage = recipe.strategy, recipe.feed, recipe.brokerage
    make_feed, make_brokerage = FEEDS[feed.cls], BROKERAGES[brokerage.cls]
    check_given(secrets, make_feed, make_brokerage)
    return Parts(
        recipe=recipe,
        strategy=STRATEGIES[strategy.cls](**strategy.kwargs),
        feed=_make(FEEDS[feed.cls], {"universe": recipe.universe, **feed.kwargs}, secrets),
        brokerage=_make(BROKERAGES[brokerage.cls], brokerage.kwargs, secrets),
        limits=recipe.risk,
    )


def venue_of(brokerage: Mapping[str, Any]) -> Brokerage:
    """The brokerage that a stored recipe names, with the secrets of this process' environment; contacts nobody."""
    return _make(BROKERAGES[brokerage["class"]], brokerage.get("kwargs") or {}, {})


def _make(cls: type[Made], kwargs: Mapping[str, Any], secrets: Mapping[str, Any]) -> Made:
    return cls(**completed(cls, kwargs, secrets))
