"""What the TWS stub tells of its account: orders that are over, positions, money, executions, the time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests.venues import tws_messages as messages
from tests.venues.book import OPEN, ZERO, Book, Event
from tests.venues.tws_client import Client
from tests.venues.tws_messages import ACCOUNT, Placed


class AccountData:
    """Answers by the number of the request."""

    book: Book
    placed: dict[str, Placed]
    commission: Decimal

    def __init__(self) -> None:
        self._executions: list[tuple[Placed, Event]] = []

    def _on_99(self, client: Client, fields: list[str]) -> None:
        """reqCompletedOrders: of all clients"""
        for placed in self.placed.values():
            order = self.book.orders.get(placed.book_id)
            if order is not None and order.status not in OPEN:
                client.send(*messages.completed_order(placed, order))
        client.send(102)

    def _on_61(self, client: Client, fields: list[str]) -> None:
        for symbol, qty in self.book.positions.items():
            if qty:
                client.send(61, 3, ACCOUNT, *messages.contract(symbol), qty, self.book.costs[symbol] / qty)
        client.send(62, 1)

    def _account(self) -> dict[str, Decimal]:
        value = sum((qty * self.book.last.get(one, ZERO) for one, qty in self.book.positions.items()), ZERO)
        equity = self.book.cash + value
        return {"TotalCashValue": self.book.cash, "NetLiquidation": equity, "BuyingPower": self.book.cash}

    def _on_6(self, client: Client, fields: list[str]) -> None:
        for tag, figure in self._account().items():
            client.send(6, 2, tag, figure, "USD", ACCOUNT)
        client.send(54, 1, ACCOUNT)

    def _on_76(self, client: Client, fields: list[str]) -> None:
        client.send(74, 1, fields[2])

    def _on_62(self, client: Client, fields: list[str]) -> None:
        for tag, figure in self._account().items():
            client.send(63, 1, fields[2], f"DU{self.book.number}", tag, figure, "USD")
        client.send(64, 1, fields[2])

    def _on_7(self, client: Client, fields: list[str]) -> None:
        """reqExecutions: the client's own, of today"""
        for placed, event in self._executions:
            if placed.client_id == client.id:
                client.send(*messages.execution(int(fields[2]), placed, event))
                client.send(*messages.commission(event.execution_id, self.commission))
        client.send(55, 1, fields[2])

    def _on_49(self, client: Client, fields: list[str]) -> None:
        client.send(49, 1, int(datetime.now(UTC).timestamp()))
