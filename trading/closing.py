"""The end of a session: its orders withdrawn, its figures written, and the status that tells how it went."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

import psycopg

from trading.desk import OrderDesk
from trading.endings import Ending, failed
from trading.engine.engine import Engine
from trading.engine.records import Kind, Record, plain
from trading.heeding import Heed
from trading.journal import Journal
from trading.ledger import LeaseLost
from trading.show import Show
from trading.snapshots import account_of, state_of
from trading.summary import RunSummary

log = logging.getLogger(__name__)

MEASURE_RETRY: Final = 1.0
#: Many sessions that end at once share a few connections to the database for their figures.
_reckoners: Final = ThreadPoolExecutor(2, thread_name_prefix="figures")


class Closing:
    """Of one session. ``trouble`` is what has gone wrong unseen, ``measure`` gives the figures of the equity curve."""

    def __init__(
        self,
        run_id: UUID,
        engine: Engine,
        desk: OrderDesk,
        heed: Heed,
        journal: Journal,
        show: Show,
        measure: Callable[[], dict[str, Any]],
        now: Callable[[], int],
    ) -> None:
        self.trouble: Exception | None = None
        self.draining = False
        self._run_id = run_id
        self._engine = engine
        self._desk = desk
        self._heed = heed
        self._journal = journal
        self._show = show
        self._measure = measure
        self._now = now

    def status(self, status: str, reason: str = "", **columns: Any) -> Record:
        return Record(Kind.RUN_STATUS, self._now(), reason=reason, data={"status": status, "reason": reason, **columns})

    def drain(self, ending: Ending) -> None:
        """Record that the session drains from here on: after which bar, and after which facts."""
        if not self.draining:
            self.draining = True
            self._desk.presume_sent()
            data = {"num_bars": self._engine.bars, "ends_as": ending.status}
            self._journal.record(self.status("draining", ending.reason, **data))

    async def finish(self, ending: Ending, started: float) -> RunSummary:
        """Bring the session to its end; ``started`` is when it began, by the performance counter."""
        engine = self._engine
        self.drain(ending)
        await self._desk.cancel_open(ending.reason)
        await self._commit()
        # Of many sessions that end at once, all are rid of their orders before one reckons its figures.
        await self._journal.others()
        doubts = await self._flat(ending)
        doubts += [f"cancel of {order.id} not confirmed" for order in engine.open_orders()]
        doubts += await self._desk.differences()
        if doubts:
            log.error("run %s ends in doubt: %s", self._run_id, doubts)
        self._show("equity.update", plain(engine.equity), self._now(), **account_of(engine, engine.equity))
        self._journal.save_state(state_of(engine, engine.equity))
        await self._commit(final=True)
        ending = self._judged(ending)
        summary = RunSummary.of(
            self._run_id,
            ending.status,
            engine,
            ledger_hash=self._journal.ledger_hash,
            seconds=time.perf_counter() - started,
            metrics=await self._measured(),
            reason="; ".join([ending.reason, *doubts]),
        )
        self._journal.record(self.status(ending.status, summary.reason, **summary.columns()))
        await self._journal.commit()
        return summary

    async def _flat(self, ending: Ending) -> list[str]:
        """Close what is held where a kill asks for it; what is held all the same, in words."""
        held = await self._heed.flatten()
        if held is None:
            return []
        if self._engine.open_orders():
            # Exits that came to nothing are withdrawn as all else was.
            self.draining = False
            self.drain(ending)
            await self._desk.cancel_open(ending.reason)
        self._journal.mark(self._engine.now, self._engine.equity, self._engine.cash)
        return held

    async def _commit(self, final: bool = False) -> None:
        """Wait for the ledger; what it refuses is told by the session's end."""
        try:
            await self._journal.commit(final)
        except LeaseLost:
            raise
        except Exception as error:
            self.trouble = self.trouble or error

    def _judged(self, ending: Ending) -> Ending:
        """The ending in the light of what has gone wrong unseen, so that no run is called whole that is not."""
        if isinstance(self.trouble, LeaseLost):
            raise self.trouble
        if self.trouble is None or ending.status == "failed":
            return ending
        return failed(self.trouble)

    async def _measured(self) -> dict[str, Any]:
        """The figures of the equity curve; like the ledger, they wait for a database that is away."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(_reckoners, self._measure)
            except psycopg.OperationalError as error:
                log.warning("run %s waits for its figures: %s", self._run_id, error)
                await asyncio.sleep(MEASURE_RETRY)
            except Exception:
                log.exception("run %s ends without figures", self._run_id)
                return {}
