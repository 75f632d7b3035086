"""The driver of a replay: it takes a run's bars and facts in their order, and does again what was done to the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from brokers.base import IBrokerage
from trading.endings import KILLED, failed
from trading.engine.bars import Bar
from trading.engine.effects import Cancel, Effect, Replace, unsent
from trading.engine.engine import Engine
from trading.engine.errors import TradingError
from trading.engine.orders import OrderStatus
from trading.engine.records import Kind, LedgerHash
from trading.folding.tape import Fact, Tape
from trading.folding.told import denial, told
from trading.ledger import Seen

#: Later than every event.
END: Final = 2**63 - 1


class ReplayDriver:
    """Runs an engine over bars, each fact held against the tape as it comes to be.

    What the engine decides must be what was recorded. What came from outside stands among the facts and is done again
    in its place: a stop, the kill switch, the order gate, and what a venue told, unless it is ``venue``, a simulated
    one, that speaks for itself. ``stops_on_kill`` is how the session was told to take a kill.

    Where a run is unfinished the record may end anywhere. What was then still to be done is left: ``pending`` effects,
    the ``unmarked`` bar that the run was not looked at after, and facts that were not recorded yet in the engine's
    ``records``.
    """

    def __init__(self, engine: Engine, venue: IBrokerage | None, tape: Tape, *, stops_on_kill: bool = True) -> None:
        self.engine = engine
        self.hash = LedgerHash()
        self.unmarked: Bar | None = None
        self.draining: Fact | None = None
        self.failure: Exception | None = None
        #: Equity (money) and cash at event times (ns), of the bars after `points_after`, where that is wanted.
        self.points: list[tuple[int, Decimal, Decimal]] = []
        self.points_after = END
        self._venue = venue
        if venue is not None:
            venue.listen(engine.on_update)
        self._tape = tape
        self._watch = engine.agent.watch
        self._stops_on_kill = stops_on_kill
        self._queue: deque[Effect] = deque()
        self._cancelling = ""
        self._placed = False
        self._may_mark = False

    @property
    def ledger_hash(self) -> str:
        return self.hash.hexdigest()

    @property
    def pending(self) -> list[Effect]:
        """What the engine wants and was not seen to be done: orders that have not left, cancels without an answer."""
        waiting = unsent(self._queue)
        if self._venue is not None:
            return waiting
        orders = [one for one in waiting if not isinstance(one, Cancel)]
        asked = [order for order in self.engine.open_orders() if order.status is OrderStatus.PENDING_CANCEL]
        return [*map(Cancel, asked), *orders]

    def run(self, bars: Iterable[Seen], ending: str | None = None) -> None:
        """Raises `trading.folding.tape.Differs` at the first difference.

        ``ending`` is the reason for which a backtest cancelled what was open at its end; a session has recorded its
        own.
        """
        self.advance(bars)
        self._follow(END if self._placed else None)
        if ending is not None:
            self._cancel(ending)
        elif self.failure is not None and self.draining is None:
            self._cancel(failed(self.failure).reason)
        self._settle()
        self._tape.end()

    def advance(self, bars: Iterable[Seen]) -> None:
        """Take the bars, up to the one after which the run drained, halted or failed."""
        for seen in bars:
            self._follow(seen.after)
            if self.draining is not None or self.engine.halted or self.failure is not None:
                return
            self._take(seen)

    def _take(self, seen: Seen) -> None:
        engine, bar = self.engine, seen.bar
        self._placed = seen.after is not None
        if engine.records:
            # A bar that was seen had all facts before it recorded.
            self._tape.differ(engine.records[0])
        if self._venue is not None:
            self._venue.on_bar(bar)
            self._compare()
        try:
            effects = engine.on_bar(bar)
        except Exception as error:
            # A strategy that raised then raises again; the tape knows what followed.
            self.failure = error
            self._compare()
            return
        self._then(effects)
        self.unmarked = bar
        self._may_mark = self._placed and seen.marked is None
        self._follow(END if self._may_mark else seen.marked, inside=True)
        left = self._left_behind()
        if not self._may_mark and not left:
            self._mark()
            if not self._placed:
                self._follow(None, inside=True)
                self._left_behind()

    def _mark(self) -> None:
        bar, self.unmarked = self.unmarked, None
        engine = self.engine
        if bar is not None and bar.time > self.points_after:
            if self.points and self.points[-1][0] == bar.time:
                self.points.pop()
            self.points.append((bar.time, engine.equity, engine.cash))
        if self._watch is not None:
            self._then(self._watch(engine, engine.portfolio.approximate_equity))

    # Fact by fact.

    def _follow(self, until: int | None, inside: bool = False) -> None:
        """Take the facts up to the event ``until``; without it those that come of what was done so far."""
        while True:
            self._settle()
            fact = self._tape.next
            if fact is None or (until is not None and fact.seq > until):
                return
            if not self._explained(fact, until is not None, inside):
                if until is None:
                    return
                self._tape.differ()

    def _explained(self, fact: Fact, placed: bool, inside: bool) -> bool:
        """Do what the fact came of; whether it did."""
        if fact.is_verb:
            if not placed and not fact.is_due(self.engine.bars, inside):
                return False
            self._tape.forward()
            self._do(fact)
            return True
        try:
            if fact.kind == Kind.ORDER_SUBMITTED:
                self._send(fact.order_id)
            elif fact.is_withheld and fact.order_id in self.engine.orders:
                self.engine.on_withheld(self.engine.orders[fact.order_id], denial(fact))
            elif not self._hear(fact):
                self._decide(fact)
        except TradingError:
            return False
        self._compare()
        return self._tape.next is not fact

    def _send(self, order_id: str) -> None:
        """Let an order leave, with those that are linked with it."""
        engine = self.engine
        if self._venue is None:
            if order_id in engine.orders:
                engine.on_submitted(engine.orders[order_id])
            return
        effect = self._queue[0] if self._queue else None
        if effect is None or isinstance(effect, Cancel):
            return
        if isinstance(effect, Replace):
            orders = [effect.by]
        else:
            orders = [one for one in (effect.order, *effect.linked) if one.status is OrderStatus.INTENDED]
        if not orders or orders[0].id != order_id:
            return
        self._queue.popleft()
        engine.on_submitted(*orders)
        if isinstance(effect, Replace):
            self._venue.replace_order(effect.order, effect.by)
        else:
            self._venue.submit_order(orders[0], orders[1:])

    def _hear(self, fact: Fact) -> bool:
        """Tell the engine what the venue told; False where the fact is none of that."""
        update = None if self._venue is not None else told(fact)
        if update is None:
            return False
        order = self.engine.orders.get(fact.order_id)
        if order is not None and fact.kind == Kind.ORDER_CANCEL_REFUSED:
            # An answer to the order itself that came while its cancel was under way has left no fact but this.
            order.before_cancel = OrderStatus(fact.data["status"])
        self.engine.on_update(update)
        return True

    def _decide(self, fact: Fact) -> None:
        """Ask the engine for what it decides by itself: after a bar, on its way to hold less, or while it cancels."""
        if self._may_mark and self.unmarked is not None:
            self._mark()
        if self._tape.next is fact:
            self._then(self.engine.go_on())
        if self._tape.next is fact and self._cancelling:
            self._cancel(self._cancelling)

    def _left_behind(self) -> bool:
        """Whether orders that were to leave by now did not, for the record ends; raises `Differs` where it goes on.

        At a venue that goes on without the run they may leave at any time, once it was asked for them.
        """
        if not self._queue or self._venue is None:
            return False
        if not self._tape.is_over:
            effect = self._queue[0]
            self.engine.on_submitted(effect.by if isinstance(effect, Replace) else effect.order)
            self._tape.differ(self.engine.records[0])
        return True

    def _settle(self) -> None:
        """Do the effects that wait for nobody: ask for cancels, forget orders that have ended before they were sent."""
        queue = self._queue
        while queue:
            head = queue[0]
            if isinstance(head, Cancel):
                if self._venue is not None:
                    if self._tape.is_over:
                        return
                    self._venue.cancel_order(head.order)
                    self._compare()
            elif unsent([head]):
                return
            queue.popleft()

    # What was done to the run.

    def _do(self, verb: Fact) -> None:
        engine = self.engine
        if verb.kind == Kind.RUN_STATUS:
            self.draining = verb
            self._cancel(verb.reason)
        elif verb.kind == Kind.RISK_RESUMED:
            engine.renew()
        elif verb.kind == Kind.FEED_SILENT:
            self._then(engine.agent.on_silence(engine, Decimal(verb.data["seconds"])))
        elif verb.kind == Kind.FEED_WARMED:
            engine.warm(int(verb.data["bars"]))
        elif verb.kind == Kind.HALTED:
            for symbol in verb.data["symbols"]:
                self._first(engine.cancel_opening(symbol, verb.reason))
        elif verb.kind == Kind.FLATTENING:
            if self._venue is not None:
                self._venue.expect_no_bars()
            self._then(engine.flatten(KILLED.reason))
        elif not (self._stops_on_kill or verb.data.get("flatten")):
            self._first(engine.withdraw(KILLED.reason))

    def _cancel(self, reason: str) -> None:
        self._cancelling = reason
        self._first(self.engine.cancel_open(reason))

    def _first(self, cancels: Sequence[Cancel]) -> None:
        """Cancels that wait for nothing, not even for orders that are about to leave."""
        self._compare()
        self._queue.extendleft(reversed(cancels))
        self._settle()

    def _then(self, effects: Sequence[Effect]) -> None:
        self._compare()
        self._queue.extend(effects)

    def _compare(self) -> None:
        """Hold what has come to be against the tape; what is beyond its end stays with the engine."""
        records, tape = self.engine.records, self._tape
        while records and not tape.is_over:
            record, fact = records[0], tape.next
            if self._venue is None and fact is not None and record.order is not None:
                # A venue may tell its name for an order together with old news, which leaves no fact.
                named = fact.payload.get("order") or {}
                record.order.venue_order_id = named.get("venue_order_id") or record.order.venue_order_id
            tape.compare(record)
            self.hash.add(records.pop(0))
