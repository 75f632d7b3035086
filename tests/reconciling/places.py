"""Sessions of this process at a stub of Alpaca, whose book a test can change by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from brokers.alpaca.adapter import AlpacaBrokerage
from tests.engine.builders import Script, bar
from tests.risk.waiting import eventually
from tests.trading.sessions import Gatehouse, run, session
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.book import Terms
from tests.venues.serving import serving
from tests.venues.tws import TwsStub
from trading.models import Run
from trading.paper_trading import PaperTradingSession

ACCOUNT = "alpaca-paper"


@contextmanager
def alpaca() -> Iterator[AlpacaStub]:
    with serving(AlpacaStub()) as stub:
        stub.trade("SPY", "100")
        yield stub


def venue(stub: AlpacaStub) -> AlpacaBrokerage:
    urls = {"base_url": stub.url, "stream_url": f"{stub.socket_url}/stream"}
    return AlpacaBrokerage(KEY, SECRET, poll_seconds=0.1, **urls)


def by_hand(stub: Any, side: str, qty: int, limit: str | None = None) -> None:
    """A manual order at the venue."""
    terms = Terms(
        "SPY",
        side,
        Decimal(qty),
        type="limit" if limit else "market",
        time_in_force="gtc",
        limit_price=Decimal(limit) if limit else None,
    )
    if isinstance(stub, TwsStub):
        stub.by_hand(terms)
    else:
        stub.call(stub.book.submit, terms)


def silently(stub: AlpacaStub, qty: int) -> None:
    """Units come to be held, or go, by no order that the venue tells of."""

    def change() -> None:
        stub.book.positions["SPY"] = stub.book.positions.get("SPY", Decimal(0)) + qty
        stub.book.costs["SPY"] = stub.book.costs.get("SPY", Decimal(0)) + qty * 100

    stub.call(change)


def traded(
    house: Gatehouse,
    stub: AlpacaStub,
    steps: Sequence[Sequence[Any]],
    between: Callable[[int], None] = lambda number: None,
    **options: Any,
) -> PaperTradingSession:
    """A session that asks for ``steps`` bar by bar, run to its end; ``between`` is called before each bar."""
    made: PaperTradingSession

    async def feed(wake: asyncio.Event) -> Any:
        for number in range(len(steps) + 1):
            await asyncio.to_thread(between, number)
            yield bar(100.0, minute=number)
        await asyncio.to_thread(eventually, lambda: not made.engine.open_orders())

    if "brokerage" not in options:
        options["brokerage"] = venue(stub)
    made = session(house, Script(*steps), feed, **options)
    Run.objects.filter(pk=made.run_id).update(account=made.brokerage.account, venue=made.brokerage.venue)
    run(made)
    return made
