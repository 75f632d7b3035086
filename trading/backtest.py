"""The synchronous driver: a plain loop that feeds the engine bars and carries out what it decides."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from brokers.base import IBrokerage
from trading.endings import FEED_ENDED, STOPPED
from trading.engine.bars import Bar
from trading.engine.effects import Cancel, Effect, Submit
from trading.engine.engine import Engine

#: Called now and then with the number of bars done; returns False to stop early.
Progress = Callable[[int], bool]

PROGRESS_EVERY = 2_000


class Curve:
    """Equity at the end of each bar: ``times`` in nanoseconds, ``equity`` in the account's currency, as floats."""

    __slots__ = ("equity", "times")

    def __init__(self) -> None:
        self.times = array("q")
        self.equity = array("d")


def drive(
    engine: Engine,
    venue: IBrokerage,
    bars: Iterable[Bar],
    curve: Curve,
    progress: Progress | None = None,
) -> bool:
    """Run the engine over all bars, then cancel what is still open; whether it got to the end of the feed.

    Within a bar: the venue matches what rested, the engine hears of it, the strategy decides, its orders go to the
    venue, and the equity is recorded.
    """
    venue.listen(engine.on_update)
    portfolio = engine.portfolio
    watch = engine.agent.watch
    add_time = curve.times.append
    add_equity = curve.equity.append
    on_bar, venue_bar = engine.on_bar, venue.on_bar
    whole = True
    for bar in bars:
        venue_bar(bar)
        effects = on_bar(bar)
        if effects:
            carry_out(engine, venue, effects)
        equity = portfolio.approximate_equity
        add_time(bar.time)
        add_equity(equity)
        if watch is not None:
            effects = watch(engine, equity)
            while effects:
                carry_out(engine, venue, effects)
                effects = engine.go_on()
        if engine.halted or (progress and not engine.bars % PROGRESS_EVERY and not progress(engine.bars)):
            whole = False
            break
    drain(engine, venue, engine.halted or (FEED_ENDED if whole else STOPPED).reason)
    return whole


def carry_out(engine: Engine, venue: IBrokerage, effects: Sequence[Effect]) -> None:
    """Do what the engine wants, one after the other; the engine listens to the venue, so it hears of each before the
    next."""
    for effect in effects:
        if isinstance(effect, Submit):
            engine.on_submitted(effect.order, *effect.linked)
            venue.submit_order(effect.order, effect.linked)
        elif isinstance(effect, Cancel):
            venue.cancel_order(effect.order)
        else:
            engine.on_submitted(effect.by)
            venue.replace_order(effect.order, effect.by)


def drain(engine: Engine, venue: IBrokerage, reason: str) -> None:
    """Cancel every open order and hear what became of it."""
    for effect in engine.cancel_open(reason):
        venue.cancel_order(effect.order)
