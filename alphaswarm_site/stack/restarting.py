"""Restarting the processes of a running stack. A worker that ends alone hands its sessions over."""

import json
import time
from typing import Any

import redis

from alphaswarm_site import heartbeat
from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.programs import SITE
from alphaswarm_site.stack.running import Report
from alphaswarm_site.stack.site import READY_SECONDS, Address, readiness
from alphaswarm_site.stack.supervisor import Supervisor
from alphaswarm_site.stack.waiting import wait_until

#: The web first: whatever else is amiss, a person can look and stop.
ORDER = ("web", *(program.name for program in SITE if program.name != "web"), "gatekeeper")

Row = dict[str, Any]


def one(supervisor: Supervisor, name: str, report: Report) -> Row:
    """Restart a program, and wait until it is ready. Raises StackError where it does not come up."""
    report(f"Restarting {name} ...")
    began = time.monotonic()
    supervisor.restart(name)
    return _ready(supervisor, name, began)


def pause(supervisor: Supervisor, report: Report) -> None:
    """Stop all but the servers and the gatekeeper. Sessions wait in the queue, their orders at their venues."""
    report("Stopping; sessions pause ...")
    for priority in sorted({program.priority for program in SITE}, reverse=True):
        supervisor.stop(*(program.name for program in SITE if program.priority == priority))


def go_on(supervisor: Supervisor, report: Report) -> list[Row]:
    """Start all again; what waited goes on."""
    report("Starting ...")
    began = time.monotonic()
    supervisor.restart("gatekeeper")
    for program in SITE:
        supervisor.run(program.name)
    return [_ready(supervisor, name, began) for name in ORDER]


def _ready(supervisor: Supervisor, name: str, began: float) -> Row:
    found: heartbeat.Process | None = None

    def beats() -> bool:
        nonlocal found
        supervisor.check_alive(name)
        found = _process(name)
        there = found is not None and found.pid == supervisor.program_pid(name)
        return there and (name != "web" or bool(readiness(_address(supervisor))))

    if not wait_until(beats, READY_SECONDS, every=0.1) or found is None:
        raise StackError(f"{name} is not ready after {READY_SECONDS} seconds: see {supervisor.paths.log / name}.log")
    return {"name": name, "version": found.version, "seconds": round(time.monotonic() - began, 1)}


def _process(name: str) -> heartbeat.Process | None:
    try:
        with heartbeat.client() as server:
            wanted = heartbeat.name_here(name)
            return next((process for process in heartbeat.living(server) if process.name == wanted), None)
    except redis.RedisError:
        return None


def _address(supervisor: Supervisor) -> Address:
    """Where the `up` of this stack serves."""
    return Address.of_url(json.loads((supervisor.paths.var / "up").read_text())["url"])
