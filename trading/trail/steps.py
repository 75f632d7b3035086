"""What a trail is made of. JSON-ready: figures are plain decimal text, times ISO 8601, UTC."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """The way of an order, in its order."""

    RUN = "run"
    SIGNAL = "signal"
    SIZE = "size"
    CHECK = "check"
    GATE = "gate"
    VENUE = "venue"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was asked on the way. ``passed`` is None where nothing was decided; ``figure`` was held against
    ``limit``."""

    stage: Stage
    message: str
    passed: bool | None = None
    code: str = ""
    figure: str | None = None
    limit: str | None = None
    time: str | None = None


class OrderTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One order from signal to venue, as far as it came."""

    order_id: str
    symbol: str
    terms: str
    status: str
    steps: list[Step]

    @property
    def stopped_by(self) -> Step | None:
        return next((step for step in self.steps if step.passed is False), None)

    @property
    def verdict(self) -> str:
        stop = self.stopped_by
        if stop is None:
            return f"{self.terms}: {self.status.replace('_', ' ')}"
        return f"{self.terms}: stopped at the {stop.stage}, {stop.message}"


class BarTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One bar, the ``number``-th of the run, and what the strategy made of it.

    ``requests`` are what it asked for, as sentences; None where that was not kept and cannot be found out.
    """

    number: int
    symbol: str
    time: str
    close: str
    requests: list[str] | None


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """All that happened at one moment of a run: its bars and the orders that came of them.

    ``state`` tells how the run stood before it; ``knew`` is the memory of the strategy after it, None where it has none
    or cannot be found out; ``note`` says what the trail could not look at.
    """

    run_id: str
    name: str
    time: str | None
    symbol: str | None
    verdict: str
    state: list[Step]
    bars: list[BarTrail]
    orders: list[OrderTrail]
    knew: object = None
    note: str = ""
