"""Interactive Brokers as a brokerage: TWS or the gateway by its socket, reconnecting by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from brokers.base import STARTING_CASH, NotOffered, Recalled, VenueAccount, VenueClock, VenueFill, VenuePosition
from brokers.ibkr import mapping
from brokers.ibkr.executions import Executions
from brokers.ibkr.outside import Outside, open_connection
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from brokers.known_orders import KnownOrders
from brokers.sightings import VenueOrder
from brokers.threaded import ThreadedBrokerage
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Rejected, Transient, Unknown
from trading.engine.orders import OrderRecord
from trading.engine.symbols import Symbol
from trading.engine.updates import OrderUpdate, UpdateKind

if TYPE_CHECKING:
    from brokers.ibkr.wire import Contract, Trade

log = logging.getLogger(__name__)

#: A new order that the gateway has not acknowledged by then is unknown.
ACKNOWLEDGE_SECONDS: Final = 5.0
_BACKOFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


class InteractiveBrokersBrokerage(ThreadedBrokerage):
    """Stocks, options and crypto at Interactive Brokers, through TWS or the gateway at ``host:port``.

    ``client_id`` must be this adapter's own: cancels and executions reach only orders of the same id. ``paper`` is what
    the account is; an account of the other kind is refused. An order carries the client order id as its reference.

    A cancel that the client library derives from an error is provisional: the order is asked for before it counts.
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
        self._known = KnownOrders(self.venue, self.tell)
        self._executions = Executions(self.tell)
        self._records: dict[str, OrderRecord] = {}
        self._trades: dict[str, Trade] = {}
        self._contracts: dict[str, Contract] = {}
        self._spelled: dict[str, str] = {}
        self._errors: dict[int, tuple[int, str]] = {}
        self._up = threading.Event()
        self._wire: IbThread | None = None
        self._outside: Outside | None = None

    def recall(self, orders: Sequence[Recalled]) -> None:
        self._known.recall(orders)
        for one in orders:
            self._records[one.order.client_order_id] = one.order
            self._executions.know(one.execution_ids)

    # The connection.

    @property
    def updates_healthy(self) -> bool:
        return self._up.is_set()

    def connect(self) -> None:
        self._wire = IbThread("ibkr")
        self._wire.call(self._begin(), CONNECT_SECONDS * 2)

    def close(self) -> None:
        self._up.clear()
        for connection in (self._wire, self._outside):
            if connection is not None:
                connection.stop()

    async def _begin(self) -> None:
        ib = self._ib
        ib.errorEvent += self._on_error
        ib.disconnectedEvent += self._up.clear
        ib.orderStatusEvent += self._on_status
        ib.execDetailsEvent += lambda trade, fill: self._on_fill(fill)
        ib.commissionReportEvent += lambda trade, fill, report: self._executions.commission(fill)
        await self._connect()
        self._require().later(self._keep())

    async def _connect(self) -> None:
        """Connect and take what the time away has brought; raises `Fatal` or `Transient`."""
        await self._require().connect(self._address)
        self._check_account()
        await self._reconcile()
        self._up.set()

    def _check_account(self) -> None:
        accounts = self._asked.ib.managedAccounts()
        if accounts and accounts[0].startswith("D") == self.live:
            kind = "a paper" if self.live else "a live"
            raise Fatal(f"ibkr: account {accounts[0]} is {kind} account, and the recipe says paper: {not self.live}")

    async def _keep(self) -> None:
        """Poll while the connection is up; connect again, ever more slowly, while it is not."""
        tries = 0
        while True:
            await asyncio.sleep(
                self._poll_seconds if self._ib.isConnected() else _BACKOFF[min(tries, len(_BACKOFF) - 1)]
            )
            try:
                if self._ib.isConnected():
                    await asyncio.wait_for(self._reconcile(), CONNECT_SECONDS)
                    tries = 0
                else:
                    tries += 1
                    await self._connect()
            except Exception as error:
                log.warning("ibkr does not show its orders: %s", error or type(error).__name__)

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        if code in mapping.CONNECTION_LOST:
            self._up.clear()
        elif code in mapping.CONNECTION_BACK:
            self._require().later(self._come_back())
        elif request in self._numbers():
            self._errors[request] = (code, text)
            if code in mapping.CANCEL_FAILED:
                self._require().later(self._confirm(request, text))

    async def _come_back(self) -> None:
        await self._reconcile()
        self._up.set()

    # Orders.

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        fields = [mapping.order(one) for one in (order, *linked)]
        self._known.expect(order, *linked)
        self._require().call(self._submit((order, *linked), fields), ACKNOWLEDGE_SECONDS * 2)

    async def _submit(self, orders: Sequence[OrderRecord], fields: Sequence[dict[str, Any]]) -> None:
        contracts = [await self._contract(one.symbol) for one in orders]
        self.let_go(*orders)
        numbers = {one.id: self._ib.client.getReqId() for one in orders}
        trades = []
        for position, (record, contract, names) in enumerate(zip(orders, contracts, fields, strict=True)):
            placed = self._require().order(**names, orderId=numbers[record.id], transmit=position == len(orders) - 1)
            placed.parentId = numbers.get(record.parent_id, 0)
            if record.group:
                # 2: what one fills is taken from the others, never more than one at a time at the exchange.
                placed.ocaGroup, placed.ocaType = record.group, 2
            self._records[record.client_order_id] = record
            trade = self._trades[record.client_order_id] = self._ib.placeOrder(contract, placed)
            trades.append(trade)
        await self._acknowledged(trades[0])

    async def _acknowledged(self, trade: Trade) -> None:
        """Return once the gateway has said anything about the order; raises `Rejected` or `Unknown`."""
        give_up = asyncio.get_running_loop().time() + ACKNOWLEDGE_SECONDS
        while trade.orderStatus.status in ("PendingSubmit", "ApiPending"):
            if not self._ib.isConnected() or asyncio.get_running_loop().time() > give_up:
                raise Unknown("ibkr has not acknowledged the order")
            await asyncio.sleep(0.01)
        code, text = self._errors.get(trade.order.orderId, (0, ""))
        if code in mapping.REJECTS:
            raise Rejected(text)

    async def _contract(self, symbol: str) -> Contract:
        contract = self._contracts.get(symbol)
        if contract is None:
            wanted = self._require().contract(**mapping.contract(symbol, *self._market))
            try:
                found = await asyncio.wait_for(self._ib.qualifyContractsAsync(wanted), ACKNOWLEDGE_SECONDS)
            except TimeoutError:
                raise Transient(f"ibkr did not say what {symbol} is") from None
            except Exception as error:
                raise Rejected(f"ibkr does not know {symbol}: {error}") from error
            if not found:
                raise Rejected(f"ibkr does not know {symbol}, or knows several of it")
            contract = self._contracts[symbol] = found[0]
            self._spelled[Symbol.parse(symbol).ticker] = symbol
        return contract

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        raise Rejected("ibkr changes an order in place and keeps its reference; cancel it and send another")

    def cancel_order(self, order: OrderRecord) -> None:
        trade = self._trades.get(order.client_order_id)
        if trade is None:
            raise Transient(f"ibkr has not shown order {order.client_order_id} yet")
        wire = self._require()
        wire.soon(wire.ib.cancelOrder, trade.order)

    def cancel_all(self) -> int:
        """Every order of this account, those of other programs and hands too."""
        if self._outside is not None:
            return self._outside.cancel_all()
        wire = self._require()
        count = len(wire.call(self._all_open()))
        wire.soon(wire.ib.reqGlobalCancel)
        return count

    # From outside.

    def reach(self) -> None:
        self._outside = open_connection(self._address)
        self._check_account()

    def query_open_orders(self) -> list[VenueOrder]:
        return self._reached().open_orders()

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        raise NotOffered("ibkr: orders that are over are not listed yet")

    def query_fills(self, since: int) -> list[VenueFill]:
        raise NotOffered("ibkr: executions are not listed yet")

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        return self._reached().find(order)

    def withdraw(self, shown: VenueOrder) -> None:
        self._reached().withdraw(shown)

    def _reached(self) -> Outside:
        if self._outside is None:
            raise Transient("ibkr is not reached from outside")
        return self._outside

    # The venue's books.

    def query_positions(self) -> list[VenuePosition]:
        return self._asked.call(self._positions())

    async def _positions(self) -> list[VenuePosition]:
        rows = await self._asked.ib.reqPositionsAsync()
        return [
            VenuePosition(mapping.symbol(row.contract, self._spelled), mapping.figure(row.position))
            for row in rows
            if row.position
        ]

    def query_account(self) -> VenueAccount:
        return self._asked.call(self._account())

    async def _account(self) -> VenueAccount:
        # The subscription is refreshed by the venue every few minutes only.
        self._asked.ib.wrapper.acctSummary.clear()
        rows = await self._asked.ib.accountSummaryAsync()
        figures = {row.tag: row.value for row in rows}
        try:
            return VenueAccount(
                rows[0].account,
                cash=Decimal(figures["TotalCashValue"]),
                equity=Decimal(figures["NetLiquidation"]),
                buying_power=Decimal(figures["BuyingPower"]),
                entitlements={"type": figures["AccountType"]} if figures.get("AccountType") else {},
            )
        except (ArithmeticError, LookupError) as error:
            raise Transient(f"ibkr does not tell the account's figures: {error!r}") from error

    def query_clock(self) -> VenueClock:
        return self._asked.call(self._clock())

    async def _clock(self) -> VenueClock:
        return VenueClock(to_nanos(await self._asked.ib.reqCurrentTimeAsync()))

    # What the venue shows.

    async def _all_open(self) -> list[Trade]:
        return [trade for trade in await self._ib.reqAllOpenOrdersAsync() if not trade.isDone()]

    async def _reconcile(self) -> None:
        """Take every open order, of other hands too, and every execution of today."""
        for trade in await self._all_open():
            self._see(trade)
        for fill in await self._ib.reqExecutionsAsync():
            self._on_fill(fill)
            self._executions.commission(fill)
        for trade in self._ib.trades():
            if trade.order.orderRef in self._records:
                self._trades[trade.order.orderRef] = trade

    def _on_status(self, trade: Trade) -> None:
        code = trade.log[-1].errorCode if trade.log else 0
        if trade.orderStatus.status == "Cancelled" and code and code not in mapping.REJECTS | {202}:
            # The library made this of an error; the order may well live.
            self._require().later(self._confirm(trade.order.orderId, trade.log[-1].message))
        else:
            self._see(trade)

    async def _confirm(self, number: int, reason: str) -> None:
        """Ask whether an order is still open after an error about it or about its cancel."""
        still_open = {trade.order.orderId for trade in await self._ib.reqOpenOrdersAsync() if not trade.isDone()}
        for name, trade in self._trades.items():
            if trade.order.orderId == number and number in still_open:
                now = to_nanos(datetime.now(UTC))
                self.tell([OrderUpdate(UpdateKind.CANCEL_REFUSED, name, now, reason=reason)])
            elif trade.order.orderId == number:
                self._see(trade)

    def _see(self, trade: Trade) -> None:
        """Take an order's state. Fills of our own orders come as executions, with the venue's ids and commissions."""
        order, status = trade.order, trade.orderStatus
        ours = order.orderRef in self._records
        code, text = self._errors.get(order.orderId, (0, "")) if ours else (0, "")
        state = mapping.state(status.status, code)
        if state is None and not (status.filled and not ours):
            return
        shown = VenueOrder(
            client_order_id=order.orderRef,
            venue_order_id=str(order.permId or f"{order.clientId}/{order.orderId}"),
            state=state,
            terms=mapping.terms(mapping.symbol(trade.contract, self._spelled), order),
            time=to_nanos(datetime.now(UTC)),
            filled_qty=Decimal(0) if ours else mapping.figure(status.filled),
            avg_price=Decimal(0) if ours else mapping.figure(status.avgFillPrice),
            reason=text if state is not UpdateKind.ACCEPTED else "",
        )
        self._known.see([shown])

    def _on_fill(self, fill: Any) -> None:
        record = self._records.get(fill.execution.orderRef)
        if record is not None:
            self._executions.execution(fill, record.client_order_id)

    def _numbers(self) -> set[int]:
        return {trade.order.orderId for trade in self._trades.values()}

    @property
    def _ib(self) -> Any:
        return self._require().ib

    @property
    def _asked(self) -> IbThread:
        """The connection for questions, which needs not be one that sends orders."""
        return self._require() if self._outside is None else self._outside.wire

    def _require(self) -> IbThread:
        if self._wire is None:
            raise Transient("ibkr is not connected")
        return self._wire
