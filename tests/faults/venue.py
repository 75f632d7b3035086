"""A stub of Alpaca in a process of its own, and the journal that it keeps on disk before it tells anybody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from tests.environment import PROJECT
from tests.faults.proxy import Proxy
from tests.live import free_port
from tests.trading.market import MODEL, PIPELINE
from tests.trading.test_end_to_end import eventually
from tests.venues.journal import Follower

SYMBOL = "SPY"
#: Far above every price of the made-up bars, so that what is to rest below the market rests.
PRICE = "5000"
CALLS_PER_MINUTE = 1_000_000


@dataclass
class Venue:
    """``wire`` is the way by which the product reaches it, ``url`` the test's own."""

    url: str
    journal: Path
    wire: Proxy
    _follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self._follower = Follower(self.journal)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self._follower.entries() if entry["kind"] == kind]

    def orders_of(self, run_id: str) -> list[dict[str, Any]]:
        return [one for one in self.entries("order") if one["client_order_id"].startswith(run_id.replace("-", ""))]

    def fault(self, fault: str, times: int = 1, where: str = "POST /v2/orders", seconds: float = 1.0) -> None:
        """Let the next requests go wrong as `tests.venues.faults` says."""
        self._control("fault", fault=fault, times=times, where=where, seconds=seconds)

    def clear_faults(self) -> None:
        self._control("clear-faults")

    def trade(self, price: str, symbol: str = SYMBOL) -> None:
        self._control("trade", symbol=symbol, price=price)

    def drop_streams(self) -> None:
        self._control("drop-streams")

    def _control(self, verb: str, **body: Any) -> None:
        assert requests.post(f"{self.url}/_control/{verb}", json=body, timeout=10).ok

    def recipe(self, strategy: dict[str, Any], pace: str = "10x", **session: Any) -> dict[str, Any]:
        """A session at this venue over made-up bars, one every second of its own time."""
        port = self.wire.port
        # As fast as sessions will, for their faults' sake.
        where = {"base_url": f"http://127.0.0.1:{port}", "stream_url": f"ws://127.0.0.1:{port}/stream"}
        kwargs = {**where, "calls_per_minute": CALLS_PER_MINUTE}
        feed = {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Sec", "pace": pace}}
        return {
            "name": "faults",
            "universe": [SYMBOL],
            "strategy": strategy,
            "feed": feed,
            "brokerage": {"class": "AlpacaBrokerage", "kwargs": kwargs},
            "risk": {"trade_when_closed": True},
            "session": {"model_urn": MODEL, "pipeline_urn": PIPELINE, **session},
        }

    def trading(self, **options: Any) -> dict[str, Any]:
        """A session that trades at every turn of its prices."""
        return self.recipe({"class": "SmaCrossStrategy", "kwargs": {"fast": 1, "slow": 2, "quantity": 1}}, **options)

    def resting(self, levels: int = 5, **options: Any) -> dict[str, Any]:
        """A session that rests orders far below the market and waits."""
        settings = {"levels": levels, "step_bps": 2000 // levels, "quantity": 1}
        return self.recipe({"class": "LimitLadderStrategy", "kwargs": settings}, **options)


def at(order: dict[str, Any]) -> float:
    """When the venue took an order, in seconds since the epoch."""
    return datetime.fromisoformat(order["at"]).timestamp()


@contextmanager
def venue(folder: Path, *options: str) -> Iterator[Venue]:
    """A venue that stands at `PRICE`, with ``options`` of its command line, until the block ends."""
    port, journal, log = free_port(), folder / "journal", folder / "venue.log"
    command = [sys.executable, "-m", "tests.venues.alpaca", "--port", str(port), "--journal", str(journal)]
    given = ["--cash", "1000000000", "--price", f"{SYMBOL}={PRICE}", *options]
    with log.open("w") as out:
        process = subprocess.Popen([*command, *given], cwd=PROJECT, stdout=out, stderr=out)
        wire = Proxy(port)
        try:
            eventually(lambda: log.stat().st_size, 30)
            yield Venue(f"http://127.0.0.1:{port}", journal, wire)
        finally:
            wire.close()
            process.terminate()
            process.wait(10)
