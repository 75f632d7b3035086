"""`alphaswarm gatekeeper`: keep this host's order gate. Run by the stack, one per host."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from alphaswarm_site import heartbeat
from risk import kill_switch, places
from risk.gate_file import GateFile
from risk.gatekeeper import AlreadyRunning, Gatekeeper, sole
from risk.kill_file import KillFile

_NOT_OURS = ("context", "cursor_factory", "prepare_threshold")


class Command(BaseCommand):
    help = "Keep this host's order gate: carry the kill switch from the database into shared memory, until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        places.gate().parent.mkdir(parents=True, exist_ok=True)
        try:
            with sole(places.gate()):
                heartbeat.begin(heartbeat.name_here("gatekeeper"))
                asyncio.run(_keep())
        except AlreadyRunning as error:
            raise CommandError(str(error)) from error


async def _keep() -> None:
    parameters = {name: value for name, value in connection.get_connection_params().items() if name not in _NOT_OURS}
    gate = GateFile(places.gate())
    keeping = asyncio.create_task(Gatekeeper(gate, KillFile(), parameters, _absorb).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, keeping.cancel)
    try:
        await keeping
    except asyncio.CancelledError:
        return


def _absorb() -> None:
    try:
        kill_switch.absorb()
    finally:
        connection.close()
