"""Runs as a session drives them, without its clocks and servers: facts and bars in one order, to be cut anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from brokers.base import IBrokerage
from brokers.sim import SimulatedBrokerage
from trading.backtest import carry_out
from trading.endings import FEED_ENDED, halted
from trading.engine.bars import Bar
from trading.engine.effects import Cancel, Effect, Replace
from trading.engine.engine import Engine
from trading.engine.memory import packed
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.records import Kind, Record
from trading.engine.risk import Denial
from trading.engine.updates import OrderUpdate, UpdateKind
from trading.folding.driver import ReplayDriver
from trading.folding.tape import Tape
from trading.ledger import Seen
from trading.ledger.events import encode


class Driven:
    """One run. ``facts`` are its events as the ledger has them, ``seen`` its bars with their places among these."""

    def __init__(self, engine: Engine, venue: IBrokerage) -> None:
        self.engine = engine
        self.facts: list[tuple[int, str, str]] = []
        self.seen: list[Seen] = []
        self.venue = venue
        venue.listen(engine.on_update)

    def keep(self) -> None:
        for record in self.engine.records:
            event = encode(record)
            self.facts.append((len(self.facts) + 1, event.kind, event.text.decode()))
        self.engine.records.clear()

    def trade(self, bars: Iterable[Bar]) -> None:
        for bar in bars:
            if self.engine.halted:
                return
            self.keep()
            self.seen.append(Seen(bar, len(self.facts)))
            self.venue.on_bar(bar)
            self.carry_out(self.engine.on_bar(bar))
            self.look()

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            carry_out(self.engine, self.venue, [effect])
            self.keep()

    def look(self) -> None:
        self.keep()
        self.seen[-1] = self.seen[-1]._replace(marked=len(self.facts))
        watch = self.engine.agent.watch
        if watch is not None:
            self.pursue(watch(self.engine, self.engine.portfolio.approximate_equity))

    def pursue(self, effects: Sequence[Effect]) -> None:
        while effects:
            self.carry_out(effects)
            effects = self.engine.go_on()
        self.keep()

    def end(self) -> None:
        """Drain as a session does whose feed has ended."""
        ending = halted(self.engine.halted) if self.engine.halted else FEED_ENDED
        data = {"status": "draining", "reason": ending.reason, "num_bars": self.engine.bars}
        self.engine.records.append(Record(Kind.RUN_STATUS, self.engine.now, reason=ending.reason, data=data))
        self.cancel(ending.reason)

    def cancel(self, reason: str) -> None:
        self.carry_out(self.engine.cancel_open(reason))
        self.keep()

    def goes_on(self, fold: ReplayDriver, bars: Sequence[Bar]) -> None:
        """Do what was left of a run that was folded, then all the rest."""
        self.keep()
        if fold.draining is not None:
            self.cancel(fold.draining.reason)
            return
        self.carry_out(fold.pending)
        if fold.unmarked is not None:
            self.look()
        self.pursue(self.engine.go_on())
        self.trade(bars)
        self.end()


def cut(run: Driven, at: int, quiet: int) -> tuple[list[tuple[int, str, str]], list[Seen]]:
    """What is kept where the first ``at`` facts were written, and up to ``quiet`` bars that came after the last."""
    before = [one for one in run.seen if one.after is not None and one.after < at]
    after = [one for one in run.seen[len(before) :] if one.after == at][:quiet]
    kept = [one if (one.marked or 0) <= at else one._replace(marked=None) for one in [*before, *after]]
    return run.facts[:at], kept


def folded(
    engine: Engine, venue: IBrokerage | None, facts: list[tuple[int, str, str]], seen: list[Seen]
) -> ReplayDriver:
    driver = ReplayDriver(engine, venue, Tape(iter(facts), unfinished=True))
    driver.run(iter(seen))
    return driver


def resumed(make: Callable[[], tuple[Engine, SimulatedBrokerage]], run: Driven, at: int, quiet: int) -> Driven:
    """The run cut there, folded and brought to its end by another."""
    facts, seen = cut(run, at, quiet)
    engine, venue = make()
    fold = folded(engine, venue, facts, seen)
    again = Driven(engine, venue)
    again.facts, again.seen = list(facts), list(seen)
    again.goes_on(fold, [one.bar for one in run.seen[len(seen) :]])
    return again


class Wayward:
    """A venue that answers late, in parts, twice, in any order, or not at all."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self.said: list[OrderUpdate] = []
        self._engine = engine
        self._chance = chance
        self._number = 0

    def takes(self, order: OrderRecord) -> None:
        chance, left = self._chance, order.qty
        if chance.random() < 0.1:
            self.say(order, UpdateKind.UNKNOWN, reason="no answer")
        if chance.random() < 0.1:
            self.say(order, UpdateKind.REJECTED, reason="not today")
            return
        self.say(order, UpdateKind.ACCEPTED, venue_order_id=f"v-{order.id}")
        while left > 0 and chance.random() < 0.7:
            part = left if chance.random() < 0.5 else left / 2
            left -= part
            price = Decimal(chance.randint(500, 2000)) / 100
            self.say(order, UpdateKind.FILL, qty=part, price=price, fee=Decimal("0.01"), execution_id=self.number())
        if chance.random() < 0.2:
            self.say(order, UpdateKind.EXPIRED)

    def cancels(self, order: OrderRecord) -> None:
        kind = self._chance.choice([UpdateKind.CANCELLED, UpdateKind.CANCELLED, UpdateKind.CANCEL_REFUSED])
        self.say(order, kind, reason="asked for")

    def number(self) -> str:
        self._number += 1
        return f"x{self._number}"

    def say(self, order: OrderRecord, kind: UpdateKind, **fields: Any) -> None:
        time = self._engine.now + self._chance.randint(0, 5)
        update = OrderUpdate(kind, order.client_order_id, time, **fields)
        self.said += [update] * self._chance.choice([1, 1, 1, 2])

    def speaks(self) -> None:
        """Let the engine hear some of it."""
        while self.said and self._chance.random() < 0.6:
            self._engine.on_update(self.said.pop(self._chance.randrange(len(self.said))))


class DrivenElsewhere(Driven):
    """A run at a wayward venue, with a gate that withholds some of its orders; ``at`` each moment a test may look."""

    def __init__(self, engine: Engine, chance: random.Random, at: Callable[[DrivenElsewhere], None]) -> None:
        super().__init__(engine, SimulatedBrokerage())
        self.elsewhere = Wayward(engine, chance)
        self._chance = chance
        self._at = at

    def keep(self) -> None:
        super().keep()
        self._at(self)
        self.elsewhere.speaks()
        super().keep()
        self._at(self)

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self.keep()
            self._carry_out(effect)
            self.keep()

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Cancel):
            self.elsewhere.cancels(effect.order)
            return
        asked = (effect.by,) if isinstance(effect, Replace) else (effect.order, *effect.linked)
        orders = [order for order in asked if order.status is OrderStatus.INTENDED]
        if self._chance.random() < 0.1 and orders:
            self.engine.on_withheld(orders[0], Denial(code="gate_stale", message="no reading"), *orders[1:])
            return
        if orders:
            self.engine.on_submitted(*orders)
            for order in orders:
                self.elsewhere.takes(order)


def told_of(engine: Engine) -> dict[str, Any]:
    """All that a run knows, for two to be compared."""
    strategy, sizer = engine.strategy, engine.agent.sizer
    return {
        "account": (engine.cash, engine.equity, engine.now, engine.bars, engine.fills),
        "positions": {one.symbol: (one.qty, one.cost, one.realized_pnl) for one in engine.portfolio.positions.values()},
        "orders": {key: _of(order) for key, order in engine.orders.items()},
        "open": sorted(order.id for order in engine.open_orders()),
        "verbs": (engine.refusing, engine.halted, engine.reducing, engine.leaving),
        "timers": engine.timers.saved(),
        "agent": engine.agent.saved(),
        "sizing": None if sizer is None else packed(sizer.state),
        "strategy": {name: deepcopy(value) for name, value in vars(strategy).items() if name != "wanted"},
        "history": {symbol: list(engine.history(symbol)) for symbol in engine.universe},
    }


def _of(order: OrderRecord) -> tuple[Any, ...]:
    # The venue's name for an order may come with old news, which leaves no fact; who needs it asks by our own.
    return (order.status, order.filled_qty, order.avg_fill_price, order.reason, order.collateral)
