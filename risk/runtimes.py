"""The registry of what can be halted.

A runtime is a part of the product that trades or may come to: the sessions of `trading` are one, named ``paper``.
It registers itself in its AppConfig.ready():

    class PaperRuntime:
        name = "paper"
        def halt(self, principal, reason): ...
        def progress(self, epoch): ...

    runtimes.register(PaperRuntime())

The kill switch does not call a runtime to stop it: the gate and each process's `risk.watch.GateWatcher` do that, with
no web server and no database between. Runtimes are asked how far it has come, and by ``POST /halt`` to halt without a
kill.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from access.principals import Principal


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
    for which no cancel has left yet (not ``pending_cancel``). ``detail`` names what is open, at most a few.
    """

    open_runs: int
    open_orders: int
    uncancelled: int
    detail: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return not (self.open_runs or self.open_orders or self.uncancelled)


class Runtime(Protocol):
    @property
    def name(self) -> str: ...

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        """Ask everything that runs to drain and stop; answer within about five seconds, finished or not."""

    def progress(self, epoch: int | None) -> Progress:
        """What is still open now. Asked every few milliseconds during a kill, so: one quick query.

        ``epoch`` is that of the kill, None where the database could not be asked for it.
        """


_runtimes: dict[str, Runtime] = {}


def register(runtime: Runtime) -> None:
    """Add a runtime. A second one of the same name replaces the first, so that AppConfig.ready may run twice."""
    _runtimes[runtime.name] = runtime


def unregister(name: str) -> None:
    _runtimes.pop(name, None)


def registered() -> list[Runtime]:
    """All runtimes, in the order in which they were registered."""
    return list(_runtimes.values())
