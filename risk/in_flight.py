"""What watches one run while it trades, and what it does about a limit that is exceeded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from risk.diary import Diary
from risk.limits import RiskLimits
from risk.watching import RejectRate, TradesPerDay, limits_of
from trading.engine import memory
from trading.engine.effects import Effect
from trading.engine.orders import OrderRecord
from trading.engine.records import Fill
from trading.engine.risk import Denial, Headroom, Watched
from trading.engine.strategy import Context

FEED_SILENCE: Final = "max_feed_silence_seconds"


class InFlight:
    """Watches a run by its limits. A breach halts it or, in safe mode, lets it only reduce, until every limit is calm
    again, or a person resumes it.

    ``watches`` says whether there is anything to watch, ``hears`` whether it is to be told of orders and fills,
    ``silence`` after how many seconds a live feed has been silent for too long, None for ever.
    """

    def __init__(self, limits: RiskLimits, starting_cash: Decimal) -> None:
        self.silence = limits.max_feed_silence_seconds
        self._diary = Diary.of(starting_cash)
        self._limits = limits_of(limits, self._diary)
        self._trades = next((one for one in self._limits if isinstance(one, TradesPerDay)), None)
        self._counts_rejects = any(isinstance(one, RejectRate) for one in self._limits)
        self._codes = {FEED_SILENCE, *(limit.code for limit in self._limits)}
        self._halts = limits.on_breach == "halt"
        self._resumes = limits.resume == "automatic"
        self._exits = limits.exit_positions
        self.watches = bool(self._limits) or self.silence is not None
        self.hears = bool(self._limits)

    def look(self, run: Watched, equity: float) -> Sequence[Effect]:
        """Look at the run after a bar. A `trading.engine.risk.Watch`."""
        self._diary.mark(run.now, equity)
        if run.reducing is not None:
            return self._reduced(run, run.reducing)
        for limit in self._limits:
            if limit.is_near(run, equity):
                denial = limit.breach(run)
                if denial is not None:
                    return self._answer(run, denial)
        return ()

    def fell_silent(self, run: Watched, seconds: Decimal) -> Sequence[Effect]:
        """The feed of a run has told nothing for so many seconds in which it should have."""
        if self.silence is None or seconds <= self.silence or run.reducing is not None:
            return ()
        message = f"no bar for {seconds:.1f} seconds, more than {self.silence}"
        return self._answer(run, Denial(code=FEED_SILENCE, message=message, figure=seconds, limit=self.silence))

    def refusal(self, order: OrderRecord, context: Context) -> Denial | None:
        """Why this order would break a limit by being filled."""
        if self._trades is None or not order.collateral:
            return None
        return self._trades.refusal(order, context)

    def on_submitted(self, order: OrderRecord, time: int) -> None:
        if self._counts_rejects:
            self._diary.send(order, time)

    def on_fill(self, order: OrderRecord, fill: Fill, time: int) -> None:
        self._diary.book(order, fill, time)

    def on_ended(self, order: OrderRecord) -> None:
        if self._counts_rejects:
            self._diary.end(order)

    def renew(self, run: Context) -> None:
        """A person lets the run trade again: every limit is measured anew from here."""
        self._diary.renew(run)

    def headroom(self, run: Context) -> list[Headroom]:
        """How much of each limit is used."""
        return [limit.headroom(run) for limit in self._limits]

    def saved(self) -> Any:
        """What it remembers, JSON-ready."""
        return memory.packed(self._diary)

    def restore(self, data: Any) -> None:
        """Go on from what `saved` took; raises `trading.engine.errors.InvalidValue` where it is something else."""
        known = memory.unpacked(data, Diary)
        for name in Diary.__struct_fields__:
            setattr(self._diary, name, getattr(known, name))

    def _answer(self, run: Watched, why: Denial) -> Sequence[Effect]:
        if self._halts:
            run.halt(why.code, why.message, why.figure, why.limit)
            return ()
        if run.refusing:
            return ()
        effects = run.reduce(why.code, why.message, why.figure, why.limit)
        return [*effects, *run.flatten(why.message)] if self._exits else effects

    def _reduced(self, run: Watched, why: Denial) -> Sequence[Effect]:
        """What a run that only reduces has still to do, or that it trades again."""
        if run.refusing:
            return ()
        of_ours = why.code in self._codes
        if of_ours and self._resumes and all(limit.is_calm(run) for limit in self._limits):
            run.recover(f"{why.code}: every limit is calm again")
            return ()
        return run.flatten(why.message) if of_ours and self._exits else run.go_on()
