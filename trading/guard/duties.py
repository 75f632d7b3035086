"""What the guard does again and again, each duty on a clock and in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, connections

from risk import actions, alerts, places
from risk.gate import OrderGate
from risk.kill_file import KillFile
from trading import supervisor
from trading.guard.drills import Schedule
from trading.guard.sweeper import Sweeper

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duty:
    """``work`` is one round; the next begins ``every`` seconds after it has returned or failed."""

    name: str
    every: float
    work: Callable[[], object]


def all_duties() -> list[Duty]:
    sweeper = Sweeper(OrderGate(places.gate()), KillFile())
    return [
        Duty("sweep", 0.5, sweeper.round),
        Duty("lost owners", 2.0, supervisor.take_from_lost),
        Duty("reports of kills", 1.0, actions.follow_up),
        Duty("alerts", 1.0, alerts.follow),
        Duty("delivery of alerts", 1.0, alerts.deliver_due),
        Duty("heartbeat", 5.0, alerts.beat),
        Duty("drills", 30.0, Schedule().due),
    ]


def keep(duties: Iterable[Duty], over: threading.Event) -> None:
    """Perform all of them until ``over`` is set. One that fails is tried again, one that hangs holds up no other."""
    for duty in duties:
        threading.Thread(target=_perform, args=(duty, over), name=duty.name, daemon=True).start()
    over.wait()


def _perform(duty: Duty, over: threading.Event) -> None:
    trouble = ""
    while not over.is_set():
        try:
            duty.work()
            if trouble:
                log.info("%s: all is well again", duty.name)
            trouble = ""
        except Exception as error:
            # A server that is away is told of once, and asked anew by a new connection.
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if said != trouble:
                log.error("%s: %s", duty.name, said, exc_info=not isinstance(error, DatabaseError | InterfaceError))
            trouble = said
            connections.close_all()
        over.wait(duty.every)
    connections.close_all()
