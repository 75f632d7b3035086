"""`alphaswarm guard`: act from outside where a session does not answer. Run by the stack, one per host."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from alphaswarm_site import heartbeat
from trading.guard.duties import all_duties, keep


class Command(BaseCommand):
    help = "Sweep sessions that do not answer, notice lost ones, deliver alerts; until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        heartbeat.begin(heartbeat.name_here("guard"))
        keep(all_duties(), over)
