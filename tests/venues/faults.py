"""What can be made to go wrong between a stub venue and its client, each for a stated number of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    #: Of requests. All but ``refuse_*`` let the venue do what was asked and spoil the answer alone.
    SWALLOW = "swallow"
    DELAY = "delay"
    ERROR = "error"
    GARBAGE = "garbage"
    BEND = "bend"
    REFUSE_ERROR = "refuse_error"
    REFUSE_THROTTLE = "refuse_throttle"
    #: Of the stream of order events.
    DROP_STREAM = "drop_stream"
    LOSE_EVENT = "lose_event"
    DUPLICATE_EVENT = "duplicate_event"
    REORDER_EVENTS = "reorder_events"


OF_REQUESTS = (
    Fault.SWALLOW,
    Fault.DELAY,
    Fault.ERROR,
    Fault.GARBAGE,
    Fault.BEND,
    Fault.REFUSE_ERROR,
    Fault.REFUSE_THROTTLE,
)


@dataclass
class Plan:
    """``times`` more occurrences of a fault, at requests whose name begins with ``where``; ``change`` is what becomes
    of an answer that is bent."""

    fault: Fault
    times: int
    where: str
    seconds: float
    change: Callable[[Any], Any]


class Faults:
    """The plans that are still to come true; each is used up in the order in which it was made."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def plan(
        self,
        fault: Fault | str,
        times: int = 1,
        where: str = "",
        seconds: float = 1.0,
        change: Callable[[Any], Any] = lambda answer: answer,
    ) -> None:
        self.plans.append(Plan(Fault(fault), times, where, seconds, change))

    def clear(self) -> None:
        self.plans.clear()

    def take(self, *faults: Fault, where: str = "") -> Plan | None:
        """Use up one occurrence of the first plan that fits."""
        for plan in self.plans:
            if plan.fault in faults and where.startswith(plan.where):
                plan.times -= 1
                if plan.times <= 0:
                    self.plans.remove(plan)
                return plan
        return None
