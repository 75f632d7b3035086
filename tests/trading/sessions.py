"""Sessions in this process, over a list of bars, on the real ledger and a gate that a thread keeps."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.base import IAsyncBrokerage
from brokers.sim import SimulatedBrokerage
from risk.gate import OrderGate, Verdict
from risk.gate_file import GateFile
from risk.halts import HaltsFile
from risk.watch import GateWatcher
from tests.engine.builders import bar
from tests.risk.waiting import eventually
from trading import ledger
from trading.connections import conninfo
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.margin import AccountType
from trading.engine.records import Record
from trading.engine.risk import RiskAgent
from trading.engine.strategy import IStrategy
from trading.engine.updates import OrderUpdate
from trading.frames import of_record
from trading.lease import Lease, claim
from trading.models import Mode, Run
from trading.paper_trading import PaperTradingSession
from trading.recovery import Recovered
from trading.show import Show
from trading.summary import RunSummary

CASH = Decimal(100_000)


class Gatehouse:
    """A gate whose keeper says what the test wants, or nothing, and a ledger writer of the test's own."""

    def __init__(self, path: Path) -> None:
        self.gate = OrderGate(path)
        self.watcher = GateWatcher(path)
        self.writer = ledger.LedgerWriter(conninfo())
        self.engaged = False
        self.flatten = False
        self.silent = False
        self.halts_epoch = 0
        self._file = GateFile(path)
        self._halts = HaltsFile(path)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        eventually(lambda: self.gate.verdict() is not Verdict.STALE)

    def _keep(self) -> None:
        while not self._over.wait(0.002):
            if not self.silent:
                state = {"flatten": self.flatten, "halts_epoch": self.halts_epoch}
                self._file.write(2 if self.engaged else 1, self.engaged, time.monotonic_ns(), **state)

    def halt(self, *halts: tuple[str, str, str]) -> None:
        """Let these halts stand, (scope, target, reason) each, and no other, from here on at this gate."""
        epoch = self.halts_epoch + 1
        self._halts.write(epoch, halts)
        self.halts_epoch = epoch
        eventually(lambda: self.gate.read().halts_epoch == epoch)

    def release(self) -> None:
        """Let everything trade again."""
        self.engaged = self.flatten = False
        self.halt()
        eventually(lambda: self.gate.verdict() is Verdict.OPEN)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.watcher.close()
        self.writer.close()


@contextmanager
def gatehouse(path: Path) -> Iterator[Gatehouse]:
    house = Gatehouse(path)
    yield house
    house.close()


class Frames(Show):
    """What a session shows, in order, and to nobody else."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def __call__(self, stage: str, message: str, time: int | None, **extras: Any) -> None:
        self.stages.append(stage)

    def facts(self, records: Iterable[Record]) -> None:
        self.stages += [frame.stage for record in records for frame in of_record(record)]


Feed = Callable[[asyncio.Event], AsyncGenerator[Bar | None, None]]


def feed_of(bars: Iterable[Bar], then: Callable[[], Any] = lambda: None, waits: bool = False) -> Feed:
    """The bars at once, then whatever ``then`` does; one that ``waits`` goes on until it is woken for good."""

    async def feed(wake: asyncio.Event) -> AsyncGenerator[Bar | None, None]:
        for one in bars:
            await asyncio.sleep(0)
            if wake.is_set():
                yield None
            yield one
        then()
        while waits:
            await wake.wait()
            yield None

    return feed


def new_run() -> tuple[Run, Lease]:
    """A claimed run; nobody renews its lease, which lasts for the test."""
    run = Run.objects.create(
        task_id=str(uuid.uuid4()), name="in process", mode=Mode.PAPER, recipe={}, starting_cash=CASH
    )
    lease = claim(run.pk)
    assert lease is not None
    lease.valid_until += 600
    return run, lease


def session(
    house: Gatehouse,
    strategy: IStrategy,
    bars: Iterable[Bar] | Feed,
    *,
    agent: RiskAgent | None = None,
    brokerage: IAsyncBrokerage | None = None,
    universe: tuple[str, ...] = ("SPY",),
    frames: Frames | None = None,
    account: AccountType = AccountType.UNLEVERED,
    **options: Any,
) -> PaperTradingSession:
    run, lease = new_run()
    given: dict[str, Any] = {
        "run_id": run.pk,
        "lease": lease,
        "start": Recovered(Engine(run.pk.hex, strategy, agent or RiskAgent(), universe, CASH, account=account)),
        "bars": bars if callable(bars) else feed_of(bars),
        "brokerage": brokerage or SimulatedBrokerage(starting_cash=CASH),
        "gate": house.gate,
        "watcher": house.watcher,
        "writer": house.writer,
        "show": frames or Frames(),
        "measure": dict,
        "event_time": True,
    }
    return PaperTradingSession(**{**given, **options})


def row(session: PaperTradingSession) -> Run:
    return Run.objects.get(pk=session.run_id)


def statuses(session: PaperTradingSession) -> list[str]:
    """The states of the session's orders in the ledger, oldest first."""
    return list(row(session).orders.order_by("seq").values_list("status", flat=True))


LOW = "50"


def minutes(count: int) -> list[Bar]:
    return [bar(100.0 + minute, minute=minute) for minute in range(count)]


def run(made: PaperTradingSession) -> RunSummary:
    return asyncio.run(asyncio.wait_for(made.run(), 20))


def ends(made: PaperTradingSession, frames: Frames, status: str) -> RunSummary:
    """Run it; it must come to this status, leave nothing open and show it all."""
    summary = run(made)
    assert summary.status == row(made).status == status
    assert frames.stages[0] == "start"
    assert frames.stages[-1] == "done"
    assert not set(statuses(made)) & {"intended", "submitted", "accepted", "partially_filled", "pending_cancel"}
    assert ledger.verify(made.run_id).ok
    return summary


class Venue(SimulatedBrokerage):
    """The simulated venue, made to say what a real one might; each cancel is a call of its own, as there."""

    cancel_orders_async = IAsyncBrokerage.cancel_orders_async

    def say(self, one: OrderUpdate) -> None:
        self._order_event_queue.put_nowait(one)
