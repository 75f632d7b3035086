"""What a session makes of the order gate's news: the kill switch, a kill that flattens, scoped halts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from risk.gate import OrderGate, Verdict
from risk.halts import Halt, Halts, Place
from trading import withdrawing
from trading.desk import OrderDesk
from trading.endings import KILLED, Ending, killed
from trading.engine.effects import Cancel
from trading.engine.engine import Engine
from trading.engine.records import Kind, Record
from trading.frames import publisher

#: How long a session tries to close what it holds, and after which silence it asks anew.
FLATTEN_TIMEOUT: Final = 10.0
FLATTEN_RETRY: Final = 2.0
#: For so long nothing is shown of a kill: its cancels and their ledger come first.
HELD_SECONDS: Final = 0.15
#: The pause between two cancels of an order that its venue has not let go of for `withdrawing.CANCEL_TIMEOUT`.
LATE_RETRY: Final = 5.0


class Heed:
    """Hears the gate for one session, in its event loop.

    ``place`` is where the run belongs. Without ``stop_on_kill`` a kill costs the session its orders alone, unless it
    asks for flat positions: that ends every session. ``end`` begins the session's end.
    """

    def __init__(
        self,
        engine: Engine,
        desk: OrderDesk,
        gate: OrderGate,
        *,
        place: Place,
        stop_on_kill: bool,
        end: Callable[[Ending], None],
        now: Callable[[], int],
    ) -> None:
        self.kill_epoch = -1
        self._engine = engine
        self._desk = desk
        self._gate = gate
        self._place = place
        self._stop_on_kill = stop_on_kill
        self._end = end
        self._now = now
        self._halted: dict[Halt, list[str]] = {}
        self._withdrawals: set[asyncio.Task[None]] = set()
        self._waits_until = 0.0

    def look(self) -> None:
        """Ask the gate itself, before the first bar."""
        reading = self._gate.read()
        if reading.verdict is Verdict.ENGAGED:
            self.on_kill(reading.epoch)
        self.on_halts()

    def on_kill(self, epoch: int) -> None:
        flatten = self._gate.read().flatten
        if epoch != self.kill_epoch:
            self.kill_epoch = epoch
            publisher().hold(HELD_SECONDS)
            self._note(Kind.KILL_ENGAGED, epoch=epoch, flatten=flatten)
            if not (self._stop_on_kill or flatten):
                # What is new is refused by the gate, for as long as the switch is engaged.
                self._withdraw(self._engine.withdraw(KILLED.reason), lambda: self._gate.verdict() is not Verdict.OPEN)
        if self._stop_on_kill or flatten:
            self._end(KILLED)

    def on_halts(self) -> None:
        """Where they cannot be told the gate lets nothing through, and the next news counts."""
        halts = self._gate.halts()
        if halts is None:
            return
        halt = halts.ending(self._place)
        if halt is not None:
            self._note_halt(halt)
            self._end(killed(halt.sentence))
            return
        known, self._halted = self._halted, _by_halt(halts, self._engine.universe)
        for halt, symbols in self._halted.items():
            if known.get(halt) is None:
                self._note_halt(halt, symbols)
                self._withdraw(
                    [cancel for symbol in symbols for cancel in self._engine.cancel_opening(symbol, halt.sentence)],
                    partial(self._is_halted, halt),
                )

    async def withdrawn(self) -> None:
        """Wait for cancels that a halt has asked for, a while: what is on its way out is not decided on anew."""
        left = self._waits_until - time.monotonic()
        if self._withdrawals and left > 0:
            await asyncio.wait(self._withdrawals, timeout=left)

    async def flatten(self) -> list[str] | None:
        """Where the kill asks for it, close what is held; what is held all the same, in words. None: nothing to do.

        Called when the session's cancels are over and no bar will come. The exits leave through the closed gate, see
        `OrderDesk`.
        """
        engine, desk = self._engine, self._desk
        if not self._gate.read().flatten or not engine.portfolio.held:
            return None
        desk.expect_no_bars()
        give_up = time.monotonic() + FLATTEN_TIMEOUT
        while engine.portfolio.held and time.monotonic() < give_up:
            self._note(Kind.FLATTENING)
            effects = engine.flatten(KILLED.reason)
            again = time.monotonic() + FLATTEN_RETRY
            while engine.portfolio.held and (left := again - time.monotonic()) > 0:
                while effects:
                    await desk.place(effects)
                    effects = engine.go_on()
                if engine.portfolio.held:
                    await desk.withdrawals.hear(left)
                    effects = engine.go_on()
        return [f"{position.qty} {symbol} still held" for symbol, position in engine.portfolio.held.items()]

    def close(self) -> None:
        for task in self._withdrawals:
            task.cancel()

    def _is_halted(self, halt: Halt) -> bool:
        return halt in self._halted

    def _withdraw(self, cancels: Sequence[Cancel], stands: Callable[[], bool]) -> None:
        if cancels:
            self._waits_until = time.monotonic() + withdrawing.CANCEL_CALL_TIMEOUT
            task = asyncio.create_task(self._withdraw_until_done(cancels, stands))
            self._withdrawals.add(task)
            task.add_done_callback(self._withdrawals.discard)

    async def _withdraw_until_done(self, cancels: Sequence[Cancel], stands: Callable[[], bool]) -> None:
        """Ask until they are closed, for as long as what they were asked for ``stands``; after a while less often."""
        rarely_from = time.monotonic() + withdrawing.CANCEL_TIMEOUT
        while cancels and stands():
            await self._desk.withdrawals.cancel_all(cancels)
            asked = time.monotonic()
            again = asked + (withdrawing.CANCEL_RETRY if asked < rarely_from else LATE_RETRY)
            while (cancels := _open(cancels)) and (left := again - time.monotonic()) > 0:
                await self._desk.withdrawals.hear(left)

    def _note_halt(self, halt: Halt, symbols: Sequence[str] = ()) -> None:
        data = {"code": "halted", "scope": halt.scope.value, "target": halt.target, "symbols": list(symbols)}
        self._note(Kind.HALTED, halt.sentence, **data)

    def _note(self, kind: Kind, reason: str = "", **data: object) -> None:
        """Record what was done to the run, with the bars that it had seen, so that a replay does it again there."""
        self._desk.presume_sent()
        data["num_bars"] = self._engine.bars
        self._engine.records.append(Record(kind, self._now(), reason=reason, data=data))


def _by_halt(halts: Halts, universe: Sequence[str]) -> dict[Halt, list[str]]:
    """The symbols of the universe that are halted, by the halt."""
    found: dict[Halt, list[str]] = {}
    for symbol in universe:
        halt = halts.of_symbol(symbol)
        if halt is not None:
            found.setdefault(halt, []).append(symbol)
    return found


def _open(cancels: Sequence[Cancel]) -> list[Cancel]:
    return [cancel for cancel in cancels if cancel.order.is_open]
