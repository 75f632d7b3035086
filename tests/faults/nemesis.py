"""Faults at random on a stack under load: `python -m tests.faults.nemesis --minutes 10 [--seed N] [--sessions 4]`.

Sessions trade without a pause at a stub venue while one fault after the other is done to the stack, drawn by a seed
that is printed first, so that the same faults can be had again. Then all is given back, every session is stopped, and
the oracle is asked O1 to O7. The exit status is 1 where it finds anything.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable

from tests import environment  # isort: skip  (sets what the settings read)

import django

django.setup()

from tests.faults.stack import Rig, rig  # noqa: E402  (needs the settings)

#: A session that cannot trade on within this time after the last fault is lost.
CALM_SECONDS = 60.0

Fault = Callable[[Rig, random.Random], None]


def kill_a_worker(stack: Rig, chance: random.Random) -> None:
    os.kill(stack.owner(chance.choice(stack.runs)), signal.SIGKILL)


def end_a_worker(stack: Rig, chance: random.Random) -> None:
    os.kill(stack.owner(chance.choice(stack.runs)), signal.SIGTERM)


def freeze_a_worker(stack: Rig, chance: random.Random) -> None:
    frozen = stack.owner(chance.choice(stack.runs))
    os.kill(frozen, signal.SIGSTOP)
    time.sleep(chance.uniform(1, 9))
    os.kill(frozen, signal.SIGCONT)


def stop_at_a_point(stack: Rig, chance: random.Random) -> None:
    points = ("intended", "sent", "before-order.accepted", "before-order.filled", "in-commit", "after-commit")
    stack.arm(chance.choice(points))


def spoil_answers(stack: Rig, chance: random.Random) -> None:
    stack.venue.fault(chance.choice(("swallow", "error", "garbage", "refuse_error")), times=chance.randint(1, 3))


def spoil_events(stack: Rig, chance: random.Random) -> None:
    fault = chance.choice(("lose_event", "duplicate_event", "reorder_events", "drop_stream"))
    stack.venue.fault(fault, times=chance.randint(1, 3), where="")


def _on_a_wire(verb: str) -> Fault:
    def fault(stack: Rig, chance: random.Random) -> None:
        wire = chance.choice((stack.database_wire, stack.redis_wire, stack.venue.wire))
        getattr(wire, verb)()
        time.sleep(chance.uniform(0.5, 8))
        wire.restore()

    fault.__name__ = f"{verb}_a_wire"
    return fault


FAULTS: list[Fault] = [
    kill_a_worker,
    end_a_worker,
    freeze_a_worker,
    stop_at_a_point,
    spoil_answers,
    spoil_events,
    *map(_on_a_wire, ("reset", "refuse", "blackhole", "swallow")),
]


def torment(stack: Rig, chance: random.Random, minutes: float, sessions: int) -> None:
    """Do one fault after the other; raises AssertionError where a session is lost, or where the oracle objects."""
    runs = [stack.start(stack.venue.trading()) for _ in range(sessions)]
    began = time.monotonic()
    while (passed := time.monotonic() - began) < minutes * 60:
        fault = chance.choice(FAULTS)
        print(f"{passed:6.1f} s  {fault.__name__}", flush=True)
        try:
            fault(stack, chance)
        except ProcessLookupError:
            print("          its worker had ended already", flush=True)
        time.sleep(chance.uniform(1, 10))
    stack.calm()
    # As a person does, once the venue answers again.
    stack.close_breakers()
    for run_id in runs:
        try:
            took = stack.goes_on(run_id, CALM_SECONDS)
        except AssertionError:
            raise AssertionError(f"run {run_id} does not trade on: {_story(stack, run_id)}") from None
        print(f"run {run_id} trades on after {took:.1f} s", flush=True)
    for run_id in runs:
        stack.stop(run_id)
    stack.oracle.check()
    for run_id in runs:
        assert stack.stack.cli_json("ledger", "verify", run_id, timeout=300)["ok"]
    print(f"{sum(len(stack.venue.orders_of(run_id)) for run_id in runs)} orders, every one accounted for", flush=True)


def _story(stack: Rig, run_id: str) -> str:
    """How a run is, what became of its last orders, and what waits for a person."""
    status, reason = stack.row(run_id, "status", "reason")
    orders = stack.client.get(f"/paper/runs/{run_id}/orders?limit=5")["items"]
    told = [f"{order['client_order_id']} {order['status']} {order['reason']}" for order in orders]
    waiting = stack.client.get("/reconciliation?state=open")["items"]
    differ = [f"{one['kind']} {one['subject']}: {one['ledger']} and {one['venue']}" for one in waiting]
    return "; ".join([f"it is {status} {reason}", *told, *differ])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--sessions", type=int, default=4)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    try:
        with rig() as stack:
            torment(stack, random.Random(seed), options.minutes, options.sessions)
    except AssertionError as error:
        print(f"seed {seed}: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(environment.VAR, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
