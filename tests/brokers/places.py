"""The stubs of two venues as the contract suite and what is told of them alone need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Any

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.ibkr.adapter import InteractiveBrokersBrokerage
from brokers.pacing import RateLimit
from tests.brokers.contract_venue import SYMBOL, StubVenue
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.book import Terms
from tests.venues.tws import TwsStub
from trading.engine.orders import OrderRecord


class Alpaca(StubVenue):
    routes = {
        "submit": "POST /v2/orders",
        "replace": "PATCH /v2/orders",
        "cancel": "DELETE /v2/orders",
        "orders": "GET /v2/orders",
        "positions": "GET /v2/positions",
        "account": "GET /v2/account",
    }
    words = {
        "name": "client_order_id",
        "status": "status",
        "type": "type",
        "duration": "time_in_force",
        "side": "side",
    }

    def __init__(self, stub: AlpacaStub) -> None:
        self.stub = stub
        super().__init__()

    def make(self, **kwargs) -> AlpacaBrokerage:
        urls = {"base_url": self.stub.url, "stream_url": f"{self.stub.socket_url}/stream"}
        return AlpacaBrokerage(**{"api_key": KEY, "secret_key": SECRET, "poll_seconds": 0.2, **urls, **kwargs})

    def rows(self, body: Any) -> list[dict[str, Any]]:
        return body if isinstance(body, list) else [body]

    def garble(self, field: str, of: OrderRecord | None = None) -> None:
        """Its events and its answers show an order too."""
        self.stub.faults.plan("lose_event", times=1_000_000)
        self.bend("submit", self.with_word(field, of), times=1_000_000)
        super().garble(field, of)

    def pace(self, limit: RateLimit, adapter: Any = None) -> None:
        (adapter or self.adapter)._rest._limit = limit

    @contextmanager
    def interrupt(self) -> Iterator[None]:
        self.stub.call(self.stub.drop_streams)
        yield

    def unsure(self):
        return nullcontext()

    @property
    def wrong(self):
        return {"secret_key": "wrong"}


class Ibkr(StubVenue):
    ways_to_lose_an_answer = ("lose_event",)

    def __init__(self, stub: TwsStub) -> None:
        self.stub = stub
        super().__init__()

    def make(self, **kwargs) -> InteractiveBrokersBrokerage:
        return InteractiveBrokersBrokerage(**{"port": self.stub.port, "client_id": 1, "poll_seconds": 0.2, **kwargs})

    def working(self) -> set[str]:
        # The book tells orders of one reference apart by their numbers.
        return {name.partition("#")[0] for name in super().working()}

    def by_hand(self) -> str:
        return self.stub.by_hand(Terms(SYMBOL, "buy", qty=Decimal(3), type="limit", limit_price=Decimal(90)))

    def correct(self, of: OrderRecord, price: str) -> None:
        self.stub.call(self.stub.correct, price)

    def lose_answer(self, fault: str, call: str = "submit", times: int = 1) -> None:
        # The gateway answers by events: one says that it has the order, one how far it is filled.
        self.stub.faults.plan(fault, times=2 if call == "submit" else times)

    @contextmanager
    def interrupt(self) -> Iterator[None]:
        self.stub.call(lambda: [client.drop() for client in list(self.stub.clients)])
        yield

    @property
    def wrong(self):
        # There are no credentials: what can be wrong is a client id that another program has.
        return {"client_id": 1}
