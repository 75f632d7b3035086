"""The registry of what can be halted.

A runtime is a part of the product that trades or may come to: the sessions of `trading` are one, named ``paper``.
It registers itself in its AppConfig.ready():

    class PaperRuntime(Runtime):
        name = "paper"
        def halt(self, principal, reason): ...
        def progress(self, epoch): ...

    runtimes.register(PaperRuntime())

One that has ``path`` (``/agents/halt``) gets a halt of its own by HTTP there. What a runtime does not answer of scoped
halts (`Runtime.known_as` and what follows it) it does not know of.

The kill switch does not call a runtime to stop it: the gate and each process's `risk.watch.GateWatcher` do that, with
no web server and no database between. Runtimes are asked how far it has come, and by ``POST /halt`` to halt without a
kill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from access.principals import Principal
from risk.halts import Halt, Place, Scope


class HaltRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime did about a halt.

    ``count`` of things it told to stop (sessions, bots); ``milliseconds`` that took; ``confirmed`` only if each of them
    has really stopped; ``detail`` says what is not confirmed, in a sentence for the operator.
    """

    runtime: str
    count: int
    milliseconds: float
    confirmed: bool
    detail: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime still has open, as counts that the ledger can prove.

    ``open_runs``: runs that a kill ends and that have not ended. ``open_orders``: orders that may still trade (every
    status in `trading.engine.orders.OPEN_STATUSES`), of runs that outlive a kill too. ``uncancelled``: those of them
    for which no cancel has left yet (not ``pending_cancel``). ``held``: positions that a kill which flattens has still
    to close. ``detail`` names what is open, at most a few.
    """

    open_runs: int
    open_orders: int
    uncancelled: int
    held: int = 0
    detail: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return not (self.open_runs or self.open_orders or self.uncancelled or self.held)


NOTHING_OPEN = Progress(open_runs=0, open_orders=0, uncancelled=0)


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """Something that trades, or will once nothing holds it back.

    ``status`` is a word for the operator (running, queued, scheduled); ``place`` is where it belongs.
    """

    runtime: str
    id: str
    name: str
    status: str
    place: Place
    symbols: Sequence[str] = ()


class Runtime(Protocol):
    #: Where its own halt is called by HTTP, such as ``/agents/halt``; empty for none.
    path: str = ""

    @property
    def name(self) -> str: ...

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        """Ask everything that runs to drain and stop; answer within about five seconds, finished or not."""

    def progress(self, epoch: int | None) -> Progress:
        """What is still open now. Asked every few milliseconds during a kill, so: one quick query.

        ``epoch`` is that of the kill, None where the database could not be asked for it.
        """

    def known_as(self, scope: Scope, target: str) -> str | None:
        """The name of an account, a bot or a run of this runtime; None where it has no such thing."""
        return None

    def targets(self) -> Mapping[Scope, list[str]]:
        """What of it can be halted, for a person to choose from."""
        return {}

    def reached(self, halt: Halt) -> Progress:
        """What is still open of what this halt concerns: one quick query, as for `progress`."""
        return NOTHING_OPEN

    def alive(self) -> Sequence[Alive]:
        """All that has not ended, so that a person sees what a release lets trade."""
        return ()


_runtimes: dict[str, Runtime] = {}


def register(runtime: Runtime) -> None:
    """Add a runtime. A second one of the same name replaces the first, so that AppConfig.ready may run twice."""
    _runtimes[runtime.name] = runtime


def unregister(name: str) -> None:
    _runtimes.pop(name, None)


def registered() -> list[Runtime]:
    """All runtimes, in the order in which they were registered."""
    return list(_runtimes.values())
