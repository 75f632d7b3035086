"""The kill while something is broken: `python -m bench.kill_scenarios --sessions 20 --tries 20`.

Sessions trade without a pause at a stub of Alpaca, twenty bars a second each, as fast as pages show them. Per try, one
thing is taken away, the kill is called on the command line, and the stub's journal, which is on disk with the time of
each order before anybody is told, says when it took the last order after the call. Then all is put back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import requests

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from bench import figures
from bench.stack import PROJECT, Stack, free_port, recipe, running, started, wait_until

SYMBOL = "SPY"
CREDENTIALS = {"ALPHASWARM_ALPACA_API_KEY": "stub-key", "ALPHASWARM_ALPACA_SECRET_KEY": "stub-secret"}
#: Orders that the stub must have taken before a try begins, per session.
ORDERS_BEFORE = 2
WATCH_SECONDS = 1.5
SWEEP_SECONDS = 15.0


@dataclass
class Venue:
    """A stub in a process of its own, and the journal that it keeps."""

    port: int
    journal: Path
    _read: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> list[dict[str, Any]]:
        """All entries so far."""
        with self.journal.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        self.entries += [json.loads(line) for line in whole.splitlines()]
        return self.entries

    def orders(self) -> list[float]:
        """When each order was taken, in seconds since the epoch."""
        return [datetime.fromisoformat(one["at"]).timestamp() for one in self.look() if one["kind"] == "order"]

    @property
    def brokerage(self) -> dict[str, Any]:
        where = {"base_url": f"http://127.0.0.1:{self.port}", "stream_url": f"ws://127.0.0.1:{self.port}/stream"}
        # The real one would hold the sessions of an account to 200 together.
        return {"class": "AlpacaBrokerage", "kwargs": {**where, "calls_per_minute": 1_000_000}}


@contextmanager
def venue(folder: Path) -> Iterator[Venue]:
    one = Venue(free_port(), folder / "journal")
    command = [sys.executable, "-m", "tests.venues.alpaca", "--port", str(one.port), "--journal", str(one.journal)]
    log = (folder / "venue.log").open("w")
    process = subprocess.Popen(
        [*command, "--cash", "1000000000", "--price", f"{SYMBOL}=100"], cwd=PROJECT, stdout=log, stderr=log
    )
    try:
        wait_until(lambda: (folder / "venue.log").stat().st_size, 30)
        yield one
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def trading(venue: Venue) -> dict[str, Any]:
    strategy = {"class": "SmaCrossStrategy", "kwargs": {"fast": 10, "slow": 20, "quantity": 1}}
    feed = {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Sec", "pace": "20x"}}
    return {**recipe(strategy, feed), "universe": [SYMBOL], "brokerage": venue.brokerage}


@dataclass
class Kill:
    """`alphaswarm kill engage`, ready to be called without waiting for an interpreter."""

    process: subprocess.Popen[str]

    @classmethod
    def ready(cls, stack: Stack) -> Kill:
        command = [sys.executable, "-m", "bench.kill_call"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=PROJECT, env=stack.environment, **pipes)  # type: ignore[call-overload]
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the kill command cannot be called")
        return cls(process)

    def call(self) -> float:
        """Engage the kill switch; the moment of the call, in seconds since the epoch."""
        out, _ = self.process.communicate("now\n", timeout=60)
        return float(out)


#: What is taken away before the call; it comes back when the block ends.
Fault = Callable[[Stack, Venue], Any]


@contextmanager
def nothing(stack: Stack, venue: Venue) -> Iterator[None]:
    yield


def without(program: str) -> Fault:
    @contextmanager
    def stopped(stack: Stack, venue: Venue) -> Iterator[None]:
        supervisor = Supervisor(StackPaths(stack.var))
        supervisor.stop(program)
        yield
        supervisor.run(program)
        wait_until(lambda: _is_up(stack))

    return stopped


def _is_up(stack: Stack) -> bool:
    try:
        return requests.get(f"{stack.url}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


@contextmanager
def with_a_blocked_session(stack: Stack, venue: Venue) -> Iterator[None]:
    """One more session, in a process of its own, that hangs with an order resting and trades on after the kill."""
    flag = venue.journal.with_name("blocked")
    strategy = {"class": "BlockingStrategy", "kwargs": {"file": str(flag)}}
    config = venue.journal.with_name("blocked.yaml")
    config.write_text(json.dumps({**trading(venue), "name": "blocked", "strategy": strategy}))
    command = [sys.executable, "-m", "bench.blocking", str(config)]
    log = venue.journal.with_name("blocked.log")
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=PROJECT, env=stack.environment, stdout=output, stderr=output)
    try:
        try:
            wait_until(lambda: _resting(venue))
        except TimeoutError:
            raise SystemExit(f"the session that is to block rests no order:\n{log.read_text()[-4000:]}") from None
        flag.touch()
        yield
        wait_until(lambda: not _resting(venue), SWEEP_SECONDS)
        flag.unlink()
        process.wait(60)
    finally:
        flag.unlink(missing_ok=True)
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _resting(venue: Venue) -> bool:
    entries = venue.look()
    ended = {one["id"] for one in entries if one["kind"] in ("end", "fill")}
    return any(one["kind"] == "order" and one["type"] == "limit" and one["id"] not in ended for one in entries)


SCENARIOS: dict[str, Fault] = {
    "all well": nothing,
    "Redis stopped": without("redis"),
    "database stopped": without("postgres"),
    "web stopped": without("web"),
    "a session's loop blocked": with_a_blocked_session,
}


def attempt(stack: Stack, venue: Venue, sessions: int, fault: Fault) -> tuple[float, float]:
    """Milliseconds from the call to the last order that the stub took, 0 where it took none; and orders a second that
    it took in the second before the fault."""
    begun = len(venue.orders())
    stack.start(trading(venue), sessions)
    wait_until(lambda: len(venue.orders()) >= begun + ORDERS_BEFORE * sessions)
    kill = Kill.ready(stack)
    wait_until(lambda: _rate(venue))
    rate = _rate(venue)
    with fault(stack, venue):
        called_at = kill.call()
        time.sleep(max(0.0, called_at + WATCH_SECONDS - time.time()))
    with stack.database() as database:
        wait_until(lambda: _settled(database))
    late = max(0.0, (max(venue.orders()) - called_at) * 1000)
    stack.cli("kill", "release", "--reason", "the drill is over")
    return late, rate


def _rate(venue: Venue) -> float:
    """Orders that the stub has taken in the second that ends now."""
    begin = time.time() - 1
    return sum(at > begin for at in venue.orders())


def _settled(database: psycopg.Connection[Any]) -> bool:
    return running(database) == 0


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--scenario", nargs="+", choices=[*SCENARIOS], default=[*SCENARIOS])
    options = parser.parse_args()
    table = figures.Figures("kill scenarios", options.json)
    with ExitStack() as held:
        stack = held.enter_context(started(**CREDENTIALS))
        for name in options.scenario:
            with tempfile.TemporaryDirectory(prefix="as-venue-") as folder, venue(Path(folder)) as place:
                tries = []
                for number in range(options.tries):
                    tries.append(attempt(stack, place, options.sessions, SCENARIOS[name]))
                    late, rate = tries[-1]
                    said = f"{name}, try {number + 1}: {late:.1f} ms, {rate:.0f} orders a second before"
                    print(said, file=sys.stderr, flush=True)
            label = f"{options.sessions} sessions, {name}"
            table.add(f"{label}: last order taken after the call", "ms", [late for late, _ in tries])
            table.add(f"{label}: orders a second before", "1/s", [rate for _, rate in tries])
    table.show()


if __name__ == "__main__":
    main()
