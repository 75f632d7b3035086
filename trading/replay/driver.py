"""The driver of a replay: it feeds the engine the recorded bars, and does again what was done to the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from brokers.base import IBrokerage
from trading.backtest import carry_out
from trading.endings import KILLED, failed
from trading.engine.bars import Bar
from trading.engine.effects import Cancel, Effect, Replace, Submit
from trading.engine.engine import Engine
from trading.engine.orders import OrderStatus
from trading.engine.records import Kind, LedgerHash
from trading.engine.risk import Denial
from trading.replay.tape import Fact, Tape


class ReplayDriver:
    """Runs an engine over bars, each fact held against the tape as it comes to be.

    What a stop, the kill switch or the order gate did to the run stands among its facts and is done again in the same
    place. ``stops_on_kill`` is how the session was told to take a kill.
    """

    def __init__(self, engine: Engine, venue: IBrokerage, tape: Tape, *, stops_on_kill: bool = True) -> None:
        self.engine = engine
        self._venue = venue
        venue.listen(engine.on_update)
        self._tape = tape
        self._watch = engine.agent.watch
        self._stops_on_kill = stops_on_kill
        self._hash = LedgerHash()
        self._draining = False
        self._failure: Exception | None = None

    @property
    def ledger_hash(self) -> str:
        return self._hash.hexdigest()

    def run(self, bars: Iterable[Bar], ending: str | None = None) -> None:
        """Raises `trading.replay.tape.Differs` at the first difference, `Over` where the record ends before the run.

        ``ending`` is the reason for which a backtest cancelled what was open at its end; a session has recorded its
        own.
        """
        self.advance(bars)
        self._do_verbs()
        if ending is not None:
            self._drain(ending)
        elif self._failure is not None and not self._draining:
            self._drain(failed(self._failure).reason)
        self._tape.end()

    def advance(self, bars: Iterable[Bar]) -> None:
        """Take the bars, up to the one after which the run drained, halted or failed."""
        for bar in bars:
            self._do_verbs()
            if self._draining or self.engine.halted:
                return
            self._take(bar)
            if self.engine.halted or self._failure is not None:
                return

    def _take(self, bar: Bar) -> None:
        engine = self.engine
        self._venue.on_bar(bar)
        self._compare()
        try:
            effects = engine.on_bar(bar)
        except Exception as error:
            # A strategy that raised then raises again; the tape knows what followed.
            self._failure = error
            self._compare()
            return
        self._compare()
        self._place(effects)
        if self._watch is not None:
            self._do_verbs(inside=True)
            self._pursue(self._watch(engine, engine.portfolio.approximate_equity))
        self._compare()

    def _pursue(self, effects: Sequence[Effect]) -> None:
        while effects:
            self._compare()
            self._place(effects)
            effects = self.engine.go_on()

    def _place(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self._do_verbs(inside=True)
            if isinstance(effect, Submit | Replace):
                order = effect.order if isinstance(effect, Submit) else effect.by
                if order.status is not OrderStatus.INTENDED:
                    continue
                held_back = self._tape.withheld(order.id)
                if held_back is not None:
                    linked = effect.linked if isinstance(effect, Submit) else ()
                    self.engine.on_withheld(order, _denial(held_back), *linked)
                    self._compare()
                    continue
            carry_out(self.engine, self._venue, [effect])
            self._compare()

    # What was done to the run.

    def _do_verbs(self, inside: bool = False) -> None:
        while (verb := self._tape.verb(self.engine.bars, inside)) is not None:
            if verb.kind == Kind.RUN_STATUS:
                self._drain(verb.reason)
            elif verb.kind == Kind.RISK_RESUMED:
                self.engine.renew()
            elif verb.kind == Kind.FEED_SILENT:
                self._pursue(self.engine.agent.on_silence(self.engine, Decimal(verb.data["seconds"])))
                self._compare()
            elif verb.kind == Kind.HALTED:
                for symbol in verb.data["symbols"]:
                    self._withdraw(self.engine.cancel_opening(symbol, verb.reason))
            elif verb.kind == Kind.FLATTENING:
                self._venue.expect_no_bars()
                self._pursue(self.engine.flatten(KILLED.reason))
            elif not (self._stops_on_kill or verb.data.get("flatten")):
                self._cancel(KILLED.reason)
                self.engine.resume()

    def _drain(self, reason: str) -> None:
        self._draining = True
        self._cancel(reason)

    def _cancel(self, reason: str) -> None:
        self._withdraw(self.engine.cancel_open(reason))

    def _withdraw(self, effects: Sequence[Cancel]) -> None:
        self._compare()
        for effect in effects:
            self._venue.cancel_order(effect.order)
        self._compare()

    def _compare(self) -> None:
        records = self.engine.records[:]
        self.engine.records.clear()
        for record in records:
            self._hash.add(record)
            self._tape.compare(record)


def _denial(fact: Fact) -> Denial:
    code = str(fact.data["code"])
    return Denial(code=code, message=fact.reason.removeprefix(f"{code}: "))
