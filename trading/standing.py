"""A run's standing with the account and venue that it shares: what it may still open there, and whether all is well.

What is found stands in `risk.conditions.Conditions`, which the order gate asks, and is shown with the session's frames.
Nothing here holds back a cancel, or an order that only reduces.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from brokers.base import IAsyncBrokerage, VenueAccount, VenueClock
from brokers.observing import StreamHealth
from risk.account_limits import Opening
from risk.alerts import raise_alert
from risk.breaker import Call
from risk.clock import MarketWord
from risk.conditions import Conditions
from trading.account_book import AccountBook, book
from trading.engine.engine import Engine
from trading.engine.errors import Rejected, Withheld
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial
from trading.feeds.signs import FeedSigns

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
#: How often each process asks for an account's own figures; the longest pause while the venue does not answer; and for
#: how long a figure is believed.
POLL_SECONDS: Final = 10.0
LONGEST_PAUSE: Final = 60.0
BELIEVED_SECONDS: Final = 40.0


class Figures(msgspec.Struct):
    """What the venue last said of an account, for all runs of this process that trade in it."""

    account: VenueAccount | None = None
    market: MarketWord | None = None
    at: float = 0.0
    ask_at: float = 0.0
    pause: float = POLL_SECONDS
    trouble: str = ""


_figures: Final[dict[str, Figures]] = {}
_lock: Final = threading.Lock()


class Standing:
    """Of one run. ``degraded`` says in a sentence what is not well, empty while all is.

    A run on the simulated venue shares its account with nobody: nothing is asked for, and its feed alone is watched.
    """

    def __init__(
        self, run_id: str, engine: Engine, brokerage: IAsyncBrokerage, conditions: Conditions, signs: FeedSigns | None
    ) -> None:
        self.degraded = ""
        #: What else is not well, in a sentence.
        self.also: Callable[[], str] = lambda: ""
        self._run = run_id
        self._engine = engine
        self._brokerage = brokerage
        self._account = brokerage.account
        self._conditions = conditions
        self._signs = signs
        self._stream = StreamHealth(brokerage.venue)
        self._book: AccountBook | None = book() if self._account else None
        conditions.asks = self._book is not None

    async def grant(self, orders: Sequence[OrderRecord]) -> Denial | None:
        """Have what these orders may open set aside in the account; why they may not leave, None where they may.

        Orders that were to close what is held are set aside with those that open more on their side: which of them
        closes is the venue's to say.
        """
        self._read_signs()
        opening = [order for order in orders if order.collateral]
        if self._book is None or not opening:
            return None
        beside = {
            one.id: self._opening(one, beside=True)
            for order in opening
            for one in self._engine.open_orders(order.symbol)
            if one.side is order.side and not (one.collateral or one.reduce_only)
        }
        return await self._book.grant(self._account, [*map(self._opening, opening), *beside.values()])

    def _opening(self, order: OrderRecord, beside: bool = False) -> Opening:
        own = () if beside else (order.limit_price, order.stop_price)
        prices = (self._engine.last_price(order.symbol), Decimal(0), *own)
        dearest = max(price for price in prices if price is not None)
        unit_value = dearest * self._engine.instrument(order.symbol).multiplier
        return Opening(
            order.id,
            self._run,
            order.symbol,
            order.side,
            order.remaining_qty,
            unit_value,
            order.group,
            order.replaces,
            beside,
        )

    def answered(self, call: Call = Call.ORDER) -> None:
        """The venue answered a call."""
        if self._book is not None:
            self._book.answered(self._account, call)

    def heard(self, error: BaseException, call: Call = Call.ORDER) -> None:
        """A call to the venue raised: a refusal is an answer, all else came to nothing that is known. A call that was
        never made says nothing."""
        if isinstance(error, Withheld):
            return
        if isinstance(error, Rejected):
            self.answered(call)
        elif self._book is not None:
            self._book.failed(self._account, self._run, call, str(error) or type(error).__name__)

    async def watch(self) -> None:
        """Look at venue and feed until cancelled."""
        try:
            while self._book is not None or self._signs is not None:
                try:
                    await self.look()
                except Exception:
                    log.exception("run %s could not look at its venue", self._run)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._stream.end()
            if self._book is not None:
                self._book.forget(self._account, self._run)

    async def look(self) -> None:
        """Look once; what the venue does not answer is told, and nothing new is opened while it is missing."""
        self._read_signs()
        troubles = [] if self._conditions.blocked is None else [self._conditions.blocked.message]
        if self._book is not None:
            healthy = self._brokerage.updates_healthy
            self._stream.show(healthy)
            self._book.updates(self._account, self._run, healthy)
            if not healthy:
                troubles.append("the venue's order updates are not flowing")
            figures = await self._ask()
            troubles += [trouble for trouble in (figures.trouble, self.also()) if trouble]
        self._tell("; ".join(troubles))

    def _read_signs(self) -> None:
        if self._signs is not None:
            self._conditions.symbols = self._signs.halts()
            self._conditions.blocked = self._signs.degraded()

    async def _ask(self) -> Figures:
        """The account's figures, asked for anew where it is time; each failure doubles the pause."""
        with _lock:
            figures = _figures.setdefault(self._account, Figures())
            now = time.monotonic()
            due = now >= figures.ask_at
            if due:
                figures.ask_at = now + figures.pause
        if due:
            try:
                figures.account = await self._brokerage.query_account_async()
                clock = await self._brokerage.query_clock_async()
                figures.market = _word_of(clock)
            except Exception as error:
                # Also an answer that makes no sense: what the account can buy is not known then.
                figures.pause = min(figures.pause * 2, LONGEST_PAUSE)
                figures.trouble = f"the venue does not tell the account: {str(error) or type(error).__name__}"
                self.heard(error, Call.QUESTION)
            else:
                figures.at, figures.pause, figures.trouble = time.monotonic(), POLL_SECONDS, ""
                self.answered(Call.QUESTION)
            figures.ask_at = time.monotonic() + figures.pause
        believed = time.monotonic() - figures.at < BELIEVED_SECONDS
        account = figures.account if believed else None
        self._conditions.buying_power = None if account is None else account.buying_power
        self._conditions.heard_at = figures.at
        self._conditions.market = figures.market if believed else None
        return figures

    def _tell(self, trouble: str) -> None:
        if trouble and not self.degraded:
            log.warning("run %s goes on degraded: %s", self._run, trouble)
            subject = f"A run at {self._brokerage.venue} goes on degraded"
            raise_alert("degraded", subject, trouble, run_id=UUID(self._run), account=self._account)
        self.degraded = trouble


def _word_of(clock: VenueClock | None) -> MarketWord | None:
    return None if clock is None or clock.is_open is None else MarketWord(clock.is_open, clock.time)
