"""The simulated venue as a brokerage: its settings, and both forms of the interface over one book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from brokers.account import Account
from brokers.arrivals import read_arrivals
from brokers.base import (
    STARTING_CASH,
    Brokerage,
    NotOffered,
    VenueAccount,
    VenueFill,
    VenuePosition,
    read_cash,
)
from brokers.book import Book, FillAt, Hours
from brokers.custody import Custody
from brokers.fees import read_fees
from brokers.fills import Filler
from brokers.financing import read_financing
from brokers.matching import between
from brokers.sightings import VenueOrder
from brokers.slippage import read_slippage
from brokers.working import ZERO
from trading.engine.bars import price_of
from trading.engine.errors import InvalidValue
from trading.engine.exact import exact
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord
from trading.engine.updates import VenueUpdate

_NANOS_PER_MS = 1_000_000


class SimulatedBrokerage(Brokerage):
    """Fills orders from bars: at the symbol's next open, or at the close at which they were made.

    ``slippage``: any of ``{bps, spread, volume_share, impact}``, see `brokers.slippage.Slippage`. ``fees``: any of
    ``{per_order, per_share, bps, us_regulatory}``, see `brokers.fees` and `brokers.regulatory`. ``latency_ms`` delays
    an order past the decision, so that it trades in the first bar that starts after the delay. ``hours``: with
    ``regular`` only orders with ``extended_hours`` trade outside of the exchange's sessions; by default the presence of
    a bar means that the market is open. ``account``: `trading.engine.margin.AccountType`; a margin account whose equity
    is under its maintenance at a session's close is closed out at the next opens. ``borrow_rate``: percent a year of a
    short's value, one figure or one per symbol; ``interest``: percent a year, ``{credit, debit}``. ``arrivals``:
    ``{intensity, decay, seed}``, market orders of others that come to resting quotes, see `brokers.arrivals`. One
    instance is one account.

    What has ended leaves the book, so that questions are about what is open; an update is never lost.

    See `brokers.matching` for when and at what price orders trade, `brokers.custody` for what the venue does by itself.
    """

    venue = "sim"
    holds_reduce_only = True

    def __init__(
        self,
        fill: Literal["next_open", "same_close"] = "next_open",
        slippage: Mapping[str, Any] | Literal["none"] | None = None,
        fees: Mapping[str, Any] | Literal["none"] | None = None,
        latency_ms: float = 0,
        starting_cash: Decimal | float = STARTING_CASH,
        hours: Literal["any", "regular"] = "any",
        account: Literal["unlevered", "cash", "margin"] = "unlevered",
        borrow_rate: Mapping[str, Any] | Decimal | float | None = None,
        interest: Mapping[str, Any] | None = None,
        arrivals: Mapping[str, Any] | None = None,
    ) -> None:
        self.starting_cash = read_cash(starting_cash)
        if latency_ms < 0:
            raise InvalidValue(f"latency_ms must be zero or more, not {latency_ms}")
        self._updates: list[VenueUpdate] = []
        self._order_event_queue: asyncio.Queue[VenueUpdate] = asyncio.Queue()
        self._account = Account(self.starting_cash)
        self._filler = Filler(self._account, read_slippage(slippage), read_fees(fees))
        orders_of_others = read_arrivals(arrivals)
        self._book = Book(
            self._filler,
            self._updates.append,
            fill=FillAt(fill),
            latency=round(latency_ms * _NANOS_PER_MS),
            hours=Hours(hours),
            reach=between if orders_of_others is None else orders_of_others.reach,
            shorts=AccountType(account) is not AccountType.CASH,
        )
        self.account_type = AccountType(account)
        self._custody = Custody(self._book, self.account_type, read_financing(borrow_rate, interest))
        # The book's own method, without a step between: it is called for every bar.
        self.on_bar = self._book.on_bar  # type: ignore[method-assign]

    @property
    def interval(self) -> int:
        """A bar's length in nanoseconds, 0 where it is not known."""
        return self._book.interval

    @interval.setter
    def interval(self, nanos: int) -> None:
        self._book.interval = nanos

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments that trade by other rules than their symbols say."""
        return self._book.instruments

    def expect(self, interval: int, instruments: Mapping[str, Instrument]) -> None:
        self.interval = interval
        self.instruments.update(instruments)

    def expect_no_bars(self) -> None:
        self._book.is_last = True

    @property
    def slippage_paid(self) -> Decimal:
        """What fills have cost beyond the prices before slippage, in the account's currency."""
        return self._filler.slippage_paid

    @property
    def updates_healthy(self) -> bool:
        return True

    def connect(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to close."""

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        refusal = self._custody.refusal(order)
        if linked and not refusal:
            refusal = next(filter(None, map(self._custody.refusal, linked)), "")
        if not refusal:
            self._book.submit(order, linked)
            return
        for refused in (order, *linked):
            self._book.reject(refused, refusal)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        self._book.replace(order, by)

    def cancel_order(self, order: OrderRecord) -> None:
        self._book.cancel(order)

    def cancel_all(self) -> int:
        resting = self._book.orders()
        for work in resting:
            if not work.done:
                self._book.cancel(work.order)
        return len(resting)

    def withdraw(self, shown: VenueOrder) -> None:
        for work in self._book.orders():
            if work.key == shown.venue_order_id and not work.done:
                self._book.cancel(work.order)

    def drain_updates(self) -> list[VenueUpdate]:
        taken = self._updates[:]
        self._updates.clear()
        return taken

    def listen(self, hear: Callable[[VenueUpdate], None]) -> None:
        self._book.emit = hear

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        shown = self.query_open_orders()
        return next((one for one in shown if one.client_order_id == order.client_order_id), None)

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        if since is not None:
            raise NotOffered("the simulated venue lists what is open, and keeps no order that is over")
        return self.query_open_orders()

    def query_open_orders(self) -> list[VenueOrder]:
        return [work.shown(self._book.now) for work in self._book.orders() if not work.done]

    def query_fills(self, since: int) -> list[VenueFill]:
        raise NotOffered("the simulated venue tells a fill when it happens, and keeps none")

    def query_positions(self) -> list[VenuePosition]:
        return [VenuePosition(symbol, units) for symbol, units in self._account.units.items() if units]

    @exact
    def query_account(self) -> VenueAccount:
        book, cash = self._book, self._account.cash
        value = ZERO
        for symbol, units in self._account.units.items():
            value += units * price_of(book.bars[symbol].close) * book.instrument(symbol).multiplier
        return VenueAccount("simulated", cash=cash, equity=cash + value, buying_power=cash)

    # The asynchronous form is the same book; only the way by which its updates leave differs.

    async def connect_async(self) -> None:
        self._book.emit = self._order_event_queue.put_nowait

    async def close_async(self) -> None:
        self.close()

    async def submit_order_async(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        self.submit_order(order, linked)

    async def replace_order_async(self, order: OrderRecord, by: OrderRecord) -> None:
        self.replace_order(order, by)

    async def cancel_order_async(self, order: OrderRecord) -> None:
        self.cancel_order(order)

    async def cancel_orders_async(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
        for order in orders:
            await self.cancel_order_async(order)
        return [None] * len(orders)

    async def withdraw_async(self, shown: VenueOrder) -> None:
        self.withdraw(shown)

    async def cancel_all_async(self) -> int:
        return self.cancel_all()

    async def query_order_async(self, order: OrderRecord) -> VenueOrder | None:
        return self.query_order(order)

    async def query_orders_async(self, since: int | None = None) -> list[VenueOrder]:
        return self.query_orders(since)

    async def query_open_orders_async(self) -> list[VenueOrder]:
        return self.query_open_orders()

    async def query_fills_async(self, since: int) -> list[VenueFill]:
        return self.query_fills(since)

    async def query_positions_async(self) -> list[VenuePosition]:
        return self.query_positions()

    async def query_account_async(self) -> VenueAccount:
        return self.query_account()
