"""The real stack, every program of it a process, with a wire to each of its servers that can be made to fail."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.postgres import SUPERUSER
from alphaswarm_site.stack.running import servers
from bench.kill_scenarios import Kill
from risk.gate import OrderGate, Verdict
from tests import reaper
from tests.faults.oracle import OPEN, Oracle
from tests.faults.proxy import Proxy
from tests.faults.venue import Venue, venue
from tests.live import LiveStack
from tests.trading.test_end_to_end import Client, eventually
from tests.venues import alpaca
from trading.frames import stream

#: What recovery may take, from the crash until the run trades again.
RECOVERY_SECONDS = 15.0
ENDED = ("completed", "stopped", "killed", "halted", "failed", "blocked")


@dataclass
class Rig:
    """A stack under test. The oracle asks the servers and the venue without the wires between."""

    stack: LiveStack
    client: Client
    database_wire: Proxy
    redis_wire: Proxy
    venue: Venue
    failpoints: Path
    servers: StackPaths
    runs: list[str] = field(default_factory=list)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.servers.database_url(), autocommit=True) as connection:
            yield connection

    def row(self, run_id: str, *columns: str) -> Any:
        with self.database() as database:
            row = database.execute(f"SELECT {', '.join(columns)} FROM runs WHERE id = %s", [run_id]).fetchone()
        assert row is not None
        return row[0] if len(columns) == 1 else row

    def begin(self, recipe: dict[str, Any]) -> str:
        """The id of a new run."""
        run_id = self.client.start(recipe)["paper_run_id"]
        self.runs.append(run_id)
        return run_id

    def start(self, recipe: dict[str, Any]) -> str:
        """The id of a new run, that is running."""
        run_id = self.begin(recipe)
        self.comes_to(run_id, "running")
        return run_id

    def known_runs(self) -> set[str]:
        with self.database() as database:
            return {str(row[0]) for row in database.execute("SELECT id FROM runs")}

    def last_frame(self, run_id: str) -> int:
        """The number of the run's last frame."""
        with redis.Redis(unix_socket_path=str(self.servers.redis_socket)) as server:
            [newest] = server.xrevrange(stream.key_of(UUID(run_id)), count=1)
        return int(newest[0].split(b"-")[0])

    def open_orders(self, *runs: str) -> int:
        """How many orders of these runs, by default of all of the test, are open in the ledger."""
        query = "SELECT count(*) FROM orders WHERE run_id = ANY(%s) AND status = ANY(%s)"
        with self.database() as database:
            row = database.execute(query, [[UUID(run_id) for run_id in runs or self.runs], list(OPEN)]).fetchone()
        assert row is not None
        return int(row[0])

    def engage(self) -> float:
        """Engage the kill as the command line does; the moment of the call, in epoch seconds."""
        return Kill.ready(self.stack).call()

    def release(self) -> None:
        self.stack.cli("kill", "release", "--reason", "the test is over")
        eventually(lambda: OrderGate(self.stack.var / "gate").verdict() is Verdict.OPEN, 30)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave the database no room to write to, until the block ends."""
        ballast = self.servers.var / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        # It goes on for as long as the room lasts that it has set aside for its log.
        with (
            suppress(psycopg.Error),
            psycopg.connect(self.servers.database_url(SUPERUSER), autocommit=True) as database,
        ):
            while True:
                database.execute("SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 1 << 20))")
        yield
        ballast.unlink()

    def comes_to(self, run_id: str, *statuses: str, seconds: float = 60.0) -> None:
        eventually(lambda: self.row(run_id, "status") in statuses, seconds)

    def has_sent(self, run_id: str, orders: int, seconds: float = 60.0) -> None:
        """Wait until the venue has so many orders of a run."""
        eventually(lambda: len(self.venue.orders_of(run_id)) >= orders, seconds)

    def goes_on(self, run_id: str, seconds: float = 90.0) -> float:
        """Wait until the run trades on: orders of it reach the venue that are not there yet. The seconds it took."""
        before, began = len(self.venue.orders_of(run_id)), time.monotonic()
        eventually(lambda: len(self.venue.orders_of(run_id)) > before + 1, seconds)
        return time.monotonic() - began

    def resumes(self, run_id: str, token: int, seconds: float) -> None:
        """Wait until an owner with a newer token than this one reads on."""
        until = time.monotonic() + seconds
        eventually(lambda: self.row(run_id, "fencing_token") > token, seconds)
        self.comes_to(run_id, "running", seconds=until - time.monotonic())
        last = self.last_frame(run_id)
        eventually(lambda: self.last_frame(run_id) > last, until - time.monotonic())

    def arm(self, point: str, signal: str = "SIGKILL") -> Path:
        """Have the next process that comes to a failpoint take this signal; the file is gone once it did."""
        file, draft = self.failpoints / point, self.failpoints / ".draft"
        draft.write_text(signal)
        return draft.replace(file)

    def hits(self, file: Path, seconds: float = 30.0) -> None:
        eventually(lambda: not file.exists(), seconds)

    def stop(self, run_id: str) -> None:
        """Stop a run, and wait until it is known what became of its orders."""
        assert self.client.post(f"/paper/stop/{self.row(run_id, 'task_id')}").ok
        self._rests(run_id, *ENDED)

    def _rests(self, run_id: str, *statuses: str) -> None:
        """What a run that has ended left in doubt, the guard asks the venue about."""
        self.comes_to(run_id, *statuses)
        eventually(lambda: not self.open_orders(run_id), 60)

    def owner(self, run_id: str) -> int:
        return int(self.row(run_id, "owner").rpartition(":")[2])

    def calm(self) -> None:
        """Give back all that was taken."""
        for wire in (self.database_wire, self.redis_wire, self.venue.wire):
            wire.restore()
        for file in self.failpoints.iterdir():
            file.unlink(missing_ok=True)
        self.venue.clear_faults()

    def settle(self) -> None:
        """Give back all that a test took, and end what it started."""
        self.calm()
        runs, self.runs = self.runs, []
        for run_id in runs:
            self.client.post(f"/paper/stop/{self.row(run_id, 'task_id')}")
        for run_id in runs:
            self._rests(run_id, *ENDED, "interrupted")
        if OrderGate(self.stack.var / "gate").verdict() is not Verdict.OPEN:
            self.release()
        self.close_breakers()

    def close_breakers(self) -> None:
        """What a venue refused trips the account's breaker, which stays open for a person."""
        with self.database() as database:
            tripped = database.execute("SELECT name FROM risk_accounts WHERE breaker_open").fetchall()
        for (account,) in tripped:
            done = self.stack.cli("breaker", "reset", account, "--reason", "the test is over")
            assert done.returncode == 0, done.stderr

    @property
    def oracle(self) -> Oracle:
        return Oracle(self.servers.database_url(), self.venue.journal, tuple(self.runs))


@contextmanager
def rig(at: Venue | None = None, room: int | None = None, **extra: str) -> Iterator[Rig]:
    """A whole stack in a folder of its own, which goes with it, that trades ``at`` a venue, by default one of its own;
    the database has ``room`` in MB where that is given, which only root can arrange; ``extra`` are more variables of
    the stack's environment."""
    folder = Path(tempfile.mkdtemp(prefix="as-faults-"))
    reaper.watch(folder / "servers")
    failpoints = folder / "failpoints"
    failpoints.mkdir()
    # The bundled PostgreSQL runs as another user, who must reach its folder.
    folder.chmod(0o711)
    paths = StackPaths(folder / "servers")
    try:
        with disk(paths.var, room), servers(paths), venue(folder) if at is None else nullcontext(at) as place:
            database, redis = Proxy(f"{paths.postgres_sockets}/.s.PGSQL.5432"), Proxy(str(paths.redis_socket))
            environment = {
                "DATABASE_URL": _through(paths, database),
                "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
                "ALPHASWARM_FAILPOINTS": str(failpoints),
                "ALPHASWARM_DRILL_HOURS": "0",
                "ALPHASWARM_ALPACA_API_KEY": alpaca.KEY,
                "ALPHASWARM_ALPACA_SECRET_KEY": alpaca.SECRET,
                **extra,
            }
            try:
                with LiveStack.started(folder / "stack", **environment) as stack:
                    client = Client(stack, "admin")
                    yield Rig(stack, client, database, redis, place, failpoints, paths)
            finally:
                database.close()
                redis.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def disk(folder: Path, room: int | None) -> Iterator[None]:
    """A disk of ``room`` MB at ``folder``."""
    if room is None:
        yield
        return
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}m,mode=711", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _through(paths: StackPaths, wire: Proxy) -> str:
    """The URL of the bundled database by way of a proxy."""
    found = psycopg.conninfo.conninfo_to_dict(paths.database_url())
    return f"postgresql://{found['user']}@127.0.0.1:{wire.port}/{found['dbname']}"
