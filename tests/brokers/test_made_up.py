"""A venue that was made up for this: an adapter of five small overrides passes the contract that all adapters pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from brokers.base import VenueAccount, VenuePosition
from brokers.reading import figure, moment
from brokers.rest import RestBrokerage
from brokers.sightings import VenueOrder
from tests.brokers.contract import SYMBOL, RestContract, Venue
from tests.venues.book import Book, Terms
from tests.venues.meadow import TOKEN, MeadowStub
from tests.venues.serving import serving
from trading.engine.errors import Rejected
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.updates import UpdateKind

_STATES: Final = {
    "new": UpdateKind.ACCEPTED,
    "partially_filled": UpdateKind.ACCEPTED,
    "filled": None,
    "canceled": UpdateKind.CANCELLED,
    "expired": UpdateKind.EXPIRED,
    "rejected": UpdateKind.REJECTED,
}


class MeadowBrokerage(RestBrokerage):
    venue = "meadow"
    _orders_path, _positions_path, _account_path = "/tickets", "/holdings", "/purse"

    def __init__(self, key: str, base_url: str, poll_seconds: float = 1.0) -> None:
        super().__init__(base_url, {"X-Key": key}, poll_seconds=poll_seconds)

    def _order_payload(self, order: OrderRecord) -> dict[str, Any]:
        if order.type not in (OrderType.MARKET, OrderType.LIMIT) or order.time_in_force is not TimeInForce.DAY:
            raise Rejected(f"meadow takes market and limit orders for the day, no {order.time_in_force} {order.type}")
        payload = {"mine": order.client_order_id, "thing": order.symbol, "units": f"{order.qty:f}"}
        payload["way"] = "B" if order.side is Side.BUY else "S"
        return payload if order.limit_price is None else {**payload, "worst": f"{order.limit_price:f}"}

    def _parse_order(self, row: Any) -> VenueOrder:
        worst = figure(row["worst"]) if "worst" in row else None
        return VenueOrder(
            client_order_id=row["mine"],
            venue_order_id=row["number"],
            state=_STATES[row["is"]],
            terms=OrderRequest(
                symbol=row["thing"],
                side=Side.BUY if row["way"] == "B" else Side.SELL,
                qty=figure(row["units"]),
                type=OrderType.MARKET if worst is None else OrderType.LIMIT,
                limit_price=worst,
            ),
            time=moment(row["seen"]),
            filled_qty=figure(row["done"]),
            avg_price=figure(row["at"]),
        )

    def _parse_positions(self, body: Any) -> list[VenuePosition]:
        return [VenuePosition(symbol, figure(qty)) for symbol, qty in body.items()]

    def _parse_account(self, body: Any) -> VenueAccount:
        return VenueAccount(body["holder"], figure(body["coins"]), figure(body["worth"]), figure(body["coins"]))


class Meadow(Venue):
    has_no_clock = True

    def __init__(self, stub: MeadowStub) -> None:
        self.stub = stub
        super().__init__()

    @property
    def book(self) -> Book:
        return self.stub.book

    def make(self, **kwargs: object) -> MeadowBrokerage:
        facts = {"key": TOKEN, "base_url": f"{self.stub.url}/v9", "poll_seconds": 0.1}
        return MeadowBrokerage(**{**facts, **kwargs})

    def trade(self, price: str, size: str | None = None) -> None:
        self.stub.trade(SYMBOL, price, size)

    def by_hand(self) -> str:
        return self.stub.call(self.book.submit, Terms(SYMBOL, "buy", qty=3, type="limit", limit_price=90)).id

    def lose_answer(self, fault: str) -> None:
        self.stub.faults.plan(fault, where="POST /v9/tickets", seconds=0)

    def lose_event(self) -> None:
        """It tells of nothing by itself, so that the answer to the next question is what is lost."""
        self.stub.faults.plan("garbage", where="GET /v9/tickets")

    @property
    def wrong(self) -> dict[str, object]:
        return {"key": "wrong"}


@pytest.fixture
def venue() -> Iterator[Meadow]:
    with serving(MeadowStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Meadow(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


class TestMadeUpVenue(RestContract):
    pass


def test_it_overrides_five_things_and_no_more():
    own = {name for name in vars(MeadowBrokerage) if not name.startswith("__")}
    paths = {"_orders_path", "_positions_path", "_account_path"}
    assert own - paths - {"venue", "_abc_impl"} == {
        "_order_payload",
        "_parse_order",
        "_parse_positions",
        "_parse_account",
    }
