"""Interactive Brokers as a brokerage: TWS or the gateway by its socket, reconnecting by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from brokers.base import STARTING_CASH, Recalled, VenueAccount, VenueClock, VenueFill, VenuePosition
from brokers.ibkr import books, mapping, orders
from brokers.ibkr.contracts import Contracts
from brokers.ibkr.days import is_of_today
from brokers.ibkr.executions import Executions
from brokers.ibkr.line import Line
from brokers.ibkr.orders import Orders
from brokers.ibkr.questions import Questions, open_connection
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from brokers.known_orders import KnownOrders
from brokers.sightings import VenueOrder
from brokers.threaded import ThreadedBrokerage
from trading.engine.errors import Fatal, Transient, Unknown, VenueError, Withheld
from trading.engine.orders import OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind, VenueUpdate

_ENDS: Final = frozenset({UpdateKind.CANCELLED, UpdateKind.REJECTED, UpdateKind.REPLACED})


class InteractiveBrokersBrokerage(ThreadedBrokerage):
    """Stocks, options and crypto at Interactive Brokers, through TWS or the gateway at ``host:port``.

    ``client_id`` must be this adapter's own: cancels and executions reach only orders of the same id. ``paper`` is what
    the account is; an account of the other kind is refused. An order carries the client order id as its reference; one
    that takes another's place keeps that one's.
    """

    venue = "ibkr"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7497,
        client_id: int = 1,
        paper: bool = True,
        exchange: str = "SMART",
        currency: str = "USD",
        poll_seconds: float = 1.0,
        starting_cash: Decimal | float = STARTING_CASH,
    ) -> None:
        super().__init__(starting_cash)
        self.live = not paper
        self._address = (host, port, client_id)
        self._market = (exchange, currency)
        self._poll_seconds = poll_seconds
        self._known = KnownOrders(self.venue, self._tell_of_orders)
        self._executions = Executions(self.tell)
        self._ours: set[str] = set()
        self._recalled: Sequence[Recalled] = ()
        self._spelled: dict[str, str] = {}
        self._wire: IbThread | None = None
        self._line: Line | None = None
        self._orders: Orders | None = None
        self._questions: Questions | None = None

    def recall(self, orders: Sequence[Recalled]) -> None:
        self._known.recall(orders)
        self._recalled = orders
        for one in orders:
            self._ours.add(one.order.client_order_id)
            self._executions.know(one.execution_ids)

    # The connection.

    @property
    def updates_healthy(self) -> bool:
        return self._line is not None and self._line.up

    def connect(self) -> None:
        wire = self._wire = IbThread("ibkr")
        contracts = Contracts(wire, *self._market)
        self._spelled = contracts.spelled
        self._questions = Questions(wire, self._address[2], self._known.name_of)
        sent = self._orders = Orders(
            wire, contracts, self._known, self._executions, self._ours, self._tell_of_orders, self.let_go
        )
        sent.recall(self._recalled)
        line = self._line = Line(
            wire, self._address, self._poll_seconds, check=self._check_account, look=sent.look, came_up=self.came_up
        )
        try:
            wire.call(line.begin(), CONNECT_SECONDS * 3)
        except VenueError:
            wire.stop()
            raise

    def reach(self) -> None:
        self._questions = open_connection(self._address)
        self._wire = self._questions.wire
        self._check_account()

    def close(self) -> None:
        if self._line is not None:
            self._line.down()
        if self._wire is not None:
            if self._wire.loop.is_running():
                self._wire.soon(self._executions.flush)
            self._wire.stop()

    def _tell_of_orders(self, updates: Sequence[VenueUpdate]) -> None:
        """An order's end comes after its fills: who goes on with the run asks for nothing of an order that is over, and
        a fill that waits here for its commission would be lost with this process."""
        for update in updates:
            if isinstance(update, OrderUpdate) and update.kind in _ENDS:
                self._executions.flush(update.client_order_id)
        self.tell(updates)

    def _check_account(self) -> None:
        accounts = self._require().ib.managedAccounts()
        if accounts and accounts[0].startswith("D") == self.live:
            kind = "a paper" if self.live else "a live"
            raise Fatal(f"ibkr: account {accounts[0]} is {kind} account, and the recipe says paper: {not self.live}")

    # Orders.

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        fields = [mapping.order(one) for one in (order, *linked)]
        self._known.send(order, *linked)
        try:
            self._require().call(self._sent().submit((order, *linked), fields), orders.ACKNOWLEDGE_SECONDS * 2, Unknown)
        except Withheld:
            self._known.unsend(order, *linked)
            raise

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        fields = mapping.order(by)
        if self._known.decided_at(by) is None:
            # It is of today, for whoever asks what became of it.
            self._known.recall([Recalled(by, decided_at=time.time_ns())])
        self._require().call(self._sent().replace(order, by, fields), orders.ACKNOWLEDGE_SECONDS * 2, Unknown)

    def cancel_order(self, order: OrderRecord) -> None:
        self._sent().cancel(order)

    def withdraw(self, shown: VenueOrder) -> None:
        self._asked().withdraw(shown)

    def cancel_all(self) -> int:
        return self._asked().cancel_all()

    # Questions.

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        """Raises `Transient` where nothing is told of an order that may be of an earlier day: the venue tells of today
        alone."""
        shown = self._asked().find(order)
        if shown is None:
            wire = self._require()
            if not wire.call(is_of_today(wire, self._known.decided_at(order))):
                raise Transient(
                    f"ibkr tells of today's orders alone; look in TWS or in the account's statement what became of "
                    f"{order.id}, which may be of an earlier day"
                )
        return shown

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        return self._asked().orders(since)

    def query_open_orders(self) -> list[VenueOrder]:
        return self._asked().open_orders()

    def query_fills(self, since: int) -> list[VenueFill]:
        return self._asked().fills(since)

    def query_positions(self) -> list[VenuePosition]:
        return self._require().call(books.positions(self._require(), self._spelled))

    def query_account(self) -> VenueAccount:
        return self._require().call(books.account(self._require()))

    def query_clock(self) -> VenueClock:
        return self._require().call(books.clock(self._require()))

    def _require(self) -> IbThread:
        if self._wire is None:
            raise Transient("ibkr is not connected")
        return self._wire

    def _sent(self) -> Orders:
        if self._orders is None:
            raise Transient("ibkr is not connected")
        return self._orders

    def _asked(self) -> Questions:
        if self._questions is None:
            raise Transient("ibkr is not connected")
        return self._questions
