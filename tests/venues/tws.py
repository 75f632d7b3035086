"""A stub of Interactive Brokers' TWS socket: `python -m tests.venues.tws --port 7497`.

It speaks server version 176 as ib_insync 0.9.86 does: frames of a big-endian length and NUL-terminated fields. What a
client is told is built in `tests.venues.tws_messages`.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tests.venues import market
from tests.venues import tws_messages as messages
from tests.venues.book import OPEN, Book, Event, Order, Refused, Terms
from tests.venues.faults import Fault, Faults
from tests.venues.journal import Journal
from tests.venues.tws_account import AccountData
from tests.venues.tws_client import Client
from tests.venues.tws_market import MarketData
from tests.venues.tws_messages import ACCOUNT, Placed

T = TypeVar("T")

TYPES = {"MKT": "market", "LMT": "limit", "STP": "stop", "STP LMT": "stop_limit", "TRAIL": "trailing_stop"}
TYPES |= {"MOC": "market", "LOC": "limit"}


class TwsStub(MarketData, AccountData):
    """Orders are known by the client's own numbers; each also has a permanent one.

    Open orders go on working while no client is connected. A client hears of its own orders and executions alone.
    """

    def __init__(self, book: Book | None = None) -> None:
        MarketData.__init__(self)
        AccountData.__init__(self)
        self.book = book or Book(unique_client_ids=False)
        self.faults = Faults()
        self.placed: dict[str, Placed] = {}
        self.port = 0
        self.commission = Decimal("1.00")
        self.refusal_code = 201
        #: Of its own clock, which it greets with.
        self.zone: tzinfo = UTC
        #: Happens right before the next order or change is looked at.
        self.meanwhile: Callable[[], object] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._next_id = 1
        self._waiting: list[tuple[Placed, Terms]] = []
        self.book.listeners.append(self._on_event)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call something of the stub in its own thread, from a test's, and wait for it."""
        assert self.loop is not None

        async def work() -> T:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)

    def trade(self, symbol: str, price: str | Decimal, size: str | Decimal | None = None) -> None:
        self.call(self.book.trade, symbol, Decimal(price), None if size is None else Decimal(size))

    def by_hand(self, terms: Terms) -> str:
        """An order that somebody enters in TWS itself; its id in the book."""
        hand = Placed(0, 0, terms.symbol, "LMT", "", 0, "", next(messages.permanent), "DAY")
        self.placed[hand.key(terms)] = hand
        return self.call(self.book.submit, terms).id

    def correct(self, price: str, qty: str | None = None) -> None:
        """Correct the last execution, under the next id of its own."""
        placed, event = self._executions[-1]
        amount = event.qty if qty is None else Decimal(qty)
        corrected = replace(event, execution_id=f"{event.execution_id}.02", price=Decimal(price), qty=amount)
        self._executions.append((placed, corrected))
        for client in list(self.clients):
            if client.id == placed.client_id:
                client.send(*messages.execution(-1, placed, corrected))

    def error(self, code: int, text: str, request: int = -1) -> None:
        """Tell every client of an error or a notice: 1100, 1101, 1102, 2104, …"""
        for client in list(self.clients):
            client.send(*messages.error(request, code, text))

    # What clients ask for, by the number of the request.

    def hear(self, client: Client, fields: list[str]) -> None:
        handler = getattr(self, f"_on_{fields[0]}", None)
        if handler is not None:
            handler(client, fields)

    def _on_71(self, client: Client, fields: list[str]) -> None:
        """startApi"""
        number = int(fields[2])
        if any(one.id == number for one in self.clients):
            client.send(*messages.error(-1, 326, "Unable to connect as the client id is already in use."))
            client.drop()
            return
        client.id = number
        self.clients.add(client)
        client.send(15, 1, ACCOUNT)
        client.send(9, 1, self._next_id)

    def _on_8(self, client: Client, fields: list[str]) -> None:
        client.send(9, 1, self._next_id)

    def _on_5(self, client: Client, fields: list[str]) -> None:
        """reqOpenOrders: the client's own"""
        self._open_orders(client, lambda placed: placed.client_id == client.id)

    def _on_16(self, client: Client, fields: list[str]) -> None:
        """reqAllOpenOrders"""
        if self.faults.take(Fault.SWALLOW, where="open orders") is None:
            self._open_orders(client, lambda placed: True)

    def _open_orders(self, client: Client, wanted: Callable[[Placed], bool]) -> None:
        for placed in self.placed.values():
            order = self.book.orders[placed.book_id]
            if order.status in OPEN and wanted(placed):
                client.send(*messages.open_order(placed, order))
                client.send(*messages.order_status(placed, order))
        client.send(53, 1)

    def _on_4(self, client: Client, fields: list[str]) -> None:
        """cancelOrder"""
        number = int(fields[2])
        plan = self.faults.take(Fault.REFUSE_ERROR, Fault.SWALLOW, where="cancel")
        if plan is not None and plan.fault is Fault.SWALLOW:
            return
        placed = self._find(client, number)
        if placed is None or plan is not None:
            client.send(*messages.error(number, 10147, f"OrderId {number} that needs to be cancelled is not found."))
            return
        try:
            self.book.cancel(placed.book_id)
        except Refused:
            state = self.book.orders[placed.book_id].status.title()
            text = f"OrderId {number} that needs to be cancelled can not be cancelled, state: {state}."
            client.send(*messages.error(number, 10148, text))
        else:
            client.send(*messages.error(number, 202, "Order Canceled - reason:"))

    def _on_58(self, client: Client, fields: list[str]) -> None:
        """reqGlobalCancel: everybody's orders"""
        self.book.cancel_all()

    def _on_3(self, client: Client, fields: list[str]) -> None:
        """placeOrder: a new order, or, under a number that is taken, other terms for it"""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        plan = self.faults.take(Fault.SWALLOW, Fault.REFUSE_ERROR, Fault.DELAY, where="place")
        if plan is None:
            self._place(client, fields)
        elif plan.fault is Fault.REFUSE_ERROR:
            text = "Order rejected - reason:the venue does not take it"
            client.send(*messages.error(int(fields[1]), self.refusal_code, text))
        elif plan.fault is Fault.DELAY:
            client.late = plan.seconds
            self._place(client, fields)
            client.late = 0.0

    def _place(self, client: Client, fields: list[str]) -> None:
        number = int(fields[1])
        placed, terms, transmit = messages.placed(client.id, fields, TYPES)
        self._next_id = max(self._next_id, number + 1)
        known = self._find(client, number)
        if known is not None:
            self._change(client, known, terms)
        else:
            self._waiting.append((placed, terms))
            if transmit:
                waiting, self._waiting = self._waiting, []
                self._transmit(client, waiting)

    def _change(self, client: Client, placed: Placed, terms: Terms) -> None:
        changes = {"limit_price": terms.limit_price, "stop_price": terms.stop_price, "qty": terms.qty}
        try:
            self.book.amend(placed.book_id, **changes)
        except Refused as refusal:
            client.send(*messages.error(placed.number, 104, f"Cannot modify a filled order. {refusal}"))

    def _transmit(self, client: Client, waiting: list[tuple[Placed, Terms]]) -> None:
        """Place what has been gathered: parents with their children, and one-cancels-all groups."""
        children = [one for one in waiting if one[0].parent]
        for placed, terms in waiting:
            if placed.parent:
                continue
            legs = [one for one in children if one[0].parent == placed.number]
            for one, leg_terms in [(placed, terms), *legs]:
                self.placed[one.key(leg_terms)] = one
            try:
                self.book.submit(terms, tuple(leg[1] for leg in legs))
            except Refused as refusal:
                for one, _ in [(placed, terms), *legs]:
                    client.send(*messages.error(one.number, 201, f"Order rejected - reason:{refusal}"))

    def _find(self, client: Client, number: int) -> Placed | None:
        for placed in self.placed.values():
            if placed.number == number and placed.client_id == client.id and placed.book_id:
                return placed
        return None

    # What the book does.

    def _on_event(self, event: Event) -> None:
        order = event.order
        placed = self._placed_of(order)
        if placed is None:
            return
        placed.book_id = order.id
        fields: list[tuple[Any, ...]] = []
        if event.kind in ("new", "amended"):
            fields.append(messages.open_order(placed, order))
        if event.execution_id:
            self._executions.append((placed, event))
            fields.append(messages.execution(-1, placed, event))
            self.book.cash -= self.commission
        fields.append(messages.order_status(placed, order, event.price))
        if event.execution_id:
            fields.append(messages.commission(event.execution_id, self.commission))
        for client in list(self.clients):
            if client.id == placed.client_id:
                client.tell(*fields)

    def _placed_of(self, order: Order) -> Placed | None:
        return self.placed.get(Placed.key_of(order.terms))


@contextmanager
def serving(stub: TwsStub, port: int = 0) -> Iterator[TwsStub]:
    """Run a stub in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stub tws", daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        server = await asyncio.start_server(lambda r, w: Client(stub, r, w).serve(), "127.0.0.1", port)
        stub.loop, stub.port = loop, server.sockets[0].getsockname()[1]
        return server

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for client in list(stub.clients):
            client.drop()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7497)
    parser.add_argument("--journal", type=Path, help="a file for the journal, JSON lines")
    market.add_options(parser)
    options = parser.parse_args()
    book = Book(Journal(options.journal), unique_client_ids=False)
    for symbol, price in market.first_prices(options).items():
        book.trade(symbol, Decimal(str(price)))
    with serving(TwsStub(book), options.port) as stub:
        print(f"listening at 127.0.0.1:{stub.port}", flush=True)
        market.serve(
            options, lambda bar: stub.call(stub.minute, bar.symbol, int(bar.start.timestamp()), bar.prices), book.last
        )


if __name__ == "__main__":
    main()
