"""What the simulated venue does when a moment has come: expiries, interest, settlements."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from brokers.working import NEVER

#: Called with the moment for which it was due.
Action = Callable[[int], None]


class Agenda:
    """Actions by the moment from which they are due (ns). ``due`` is the next of these: one comparison per bar."""

    __slots__ = ("_known", "_order", "_waiting", "due")

    def __init__(self) -> None:
        self.due = NEVER
        self._waiting: list[tuple[int, int, Action]] = []
        self._known: set[tuple[int, Action]] = set()
        self._order = count()

    def at(self, moment: int, action: Action) -> None:
        """Have ``action`` called once event time has reached ``moment``; asked for twice, it is called once."""
        if (moment, action) in self._known or moment == NEVER:
            return
        self._known.add((moment, action))
        heappush(self._waiting, (moment, next(self._order), action))
        self.due = self._waiting[0][0]

    def run(self, now: int) -> None:
        """Call all that is due, oldest moment first; an action may put the next one on the agenda."""
        while self._waiting and self._waiting[0][0] <= now:
            moment, _, action = heappop(self._waiting)
            self._known.discard((moment, action))
            action(moment)
        self.due = self._waiting[0][0] if self._waiting else NEVER
