"""What a session goes on from: its run, brought by its own ledger to where it was.

Every start is a recovery. The engine is deterministic, and a run's bars and facts are kept with their places, so the
facts are folded once more: what the engine decided must come out as it was recorded, what came from outside is fed from
the record. After that portfolio, open orders, strategy, windows, timers, sizing and limits are what they were, with no
snapshot to trust; and so is the book of a simulated venue. Of a run that has not begun there is nothing to fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg

from trading import ledger
from trading.connections import connect
from trading.endings import Ending
from trading.engine.bars import Bar, to_nanos
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.records import LedgerHash
from trading.folding.driver import ReplayDriver
from trading.folding.recorded import check_kept, driver_of, events_of
from trading.folding.tape import Differs, Fact, Tape
from trading.models import Run
from trading.parts import Parts


class CannotResume(TradingError):
    """The run cannot be brought to where it was: nobody may trade on in its name. The message says why."""


@dataclass
class Recovered:
    """A run as its last durable fact left it; of a new one all but the engine is empty.

    ``hash`` is over the facts so far, ``bars`` is how many were seen, ``last`` the last of each symbol, and ``points``
    are those of the equity that were not written yet. ``pending`` is what the engine wanted and was not seen to be
    done, orders and cancels; what of it has not left, and is still wanted, leaves through the gate like all else.
    ``unmarked`` is the bar that the run was not yet looked at after. ``ending`` is how a run ends that was ending
    already, ``failure`` what it failed of.
    """

    engine: Engine
    resumed: bool = False
    hash: LedgerHash = field(default_factory=LedgerHash)
    bars: int = 0
    first: Bar | None = None
    last: dict[str, Bar] = field(default_factory=dict)
    newest: Bar | None = None
    points: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    pending: list[Effect] = field(default_factory=list)
    unmarked: Bar | None = None
    ending: Ending | None = None
    failure: Exception | None = None

    def after(self, bars: Iterator[Bar]) -> Iterator[Bar]:
        """Those of a feed that begins anew which the run has not seen.

        Raises `CannotResume` where the last that it has seen is not the same any more.
        """
        if self.bars:
            again = next(islice(bars, self.bars - 1, None), None)
            if again != self.newest:
                raise CannotResume(f"the feed has changed since: its bar {self.bars} is {again}, it was {self.newest}")
        return bars

    def _see(self, seen: Iterator[ledger.Seen]) -> Iterator[ledger.Seen]:
        for one in seen:
            self.bars += 1
            self.first = self.first or one.bar
            self.newest = self.last[one.bar.symbol] = one.bar
            yield one


def recovered(run: Run, parts: Parts) -> Recovered:
    """Bring a run, its ``parts`` made anew, to where it was. Reads the feed's data; contacts no venue.

    Raises `CannotResume`, and what is wrong with the feed.
    """
    start = Recovered(parts.engine(run.id), resumed=run.started_at is not None)
    with connect() as database:
        # One look at bars and facts.
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        first = next(ledger.read_bars(database, run.id), None)
        if first is not None:
            parts.feed.begin(first.time)
        parts.prepare()
        if start.resumed:
            _fold(database, run, parts, start)
    return start


def _fold(database: psycopg.Connection[Any], run: Run, parts: Parts, start: Recovered) -> None:
    tape = Tape(events_of(database, run), unfinished=True)
    driver = driver_of(parts, start.engine, tape)
    newest = run.equity.order_by("-time").values_list("time", flat=True).first()
    driver.points_after = 0 if newest is None else to_nanos(newest)
    try:
        check_kept(database, run)
        driver.run(start._see(ledger.read_seen(database, run.id)))
    except (Differs, InvalidValue) as error:
        raise CannotResume(f"it cannot be brought to where it was: {error}") from error
    _take(start, driver)


def _take(start: Recovered, driver: ReplayDriver) -> None:
    start.hash, start.points, start.pending = driver.hash, driver.points, driver.pending
    start.unmarked, start.failure = driver.unmarked, driver.failure
    start.ending = None if driver.draining is None else _ending(driver.draining)


def _ending(draining: Fact) -> Ending:
    return Ending(draining.data.get("ends_as", "stopped"), draining.reason)
