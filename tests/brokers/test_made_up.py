"""A venue that was made up for this: an adapter of five small overrides passes the contract that all adapters pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from brokers import rest
from brokers.base import VenueAccount, VenuePosition
from brokers.pacing import RateLimit
from brokers.reading import figure, moment
from brokers.rest import RestBrokerage
from brokers.sightings import VenueOrder
from tests.brokers.contract import SYMBOL, BrokerageContract, StubVenue
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
_LETTERS: Final = {Side.BUY: "B", Side.SELL: "S"}
_SIDES: Final = {letter: side for side, letter in _LETTERS.items()}


class MeadowBrokerage(RestBrokerage):
    venue = "meadow"
    _orders_path, _positions_path, _account_path = "/tickets", "/holdings", "/purse"

    def __init__(self, key: str, base_url: str, poll_seconds: float = 1.0) -> None:
        super().__init__(base_url, {"X-Key": key}, poll_seconds=poll_seconds)

    def _order_payload(self, order: OrderRecord) -> dict[str, Any]:
        if order.type not in (OrderType.MARKET, OrderType.LIMIT) or order.time_in_force is not TimeInForce.DAY:
            raise Rejected(f"meadow takes market and limit orders for the day, no {order.time_in_force} {order.type}")
        payload = {"mine": order.client_order_id, "thing": order.symbol, "units": f"{order.qty:f}"}
        payload["way"] = _LETTERS[order.side]
        return payload if order.limit_price is None else {**payload, "worst": f"{order.limit_price:f}"}

    def _parse_order(self, row: Any) -> VenueOrder:
        worst = figure(row["worst"]) if "worst" in row else None
        return VenueOrder(
            client_order_id=row["mine"],
            venue_order_id=row["number"],
            state=_STATES.get(row["is"], UpdateKind.UNKNOWN),
            terms=OrderRequest(
                symbol=row["thing"],
                side=_SIDES[row["way"]],
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


class Meadow(StubVenue):
    routes = {
        "submit": "POST /v9/tickets",
        "cancel": "DELETE /v9/tickets",
        "orders": "GET /v9/tickets",
        "positions": "GET /v9/holdings",
        "account": "GET /v9/purse",
    }
    words = {"name": "mine", "status": "is", "side": "way"}

    def __init__(self, stub: MeadowStub) -> None:
        self.stub = stub
        super().__init__()

    def make(self, **kwargs: object) -> MeadowBrokerage:
        facts = {"key": TOKEN, "base_url": f"{self.stub.url}/v9", "poll_seconds": 0.05}
        adapter = MeadowBrokerage(**{**facts, **kwargs})
        self.pace(RateLimit(10_000, 1.0), adapter)
        return adapter

    def rows(self, body: Any) -> list[dict[str, Any]]:
        return body if isinstance(body, list) else [body]

    def spoil_events(self, fault: str) -> None:
        """It tells of nothing by itself, so that the answer to the next question is what is lost."""
        self.lose_answer("garbage", "orders")

    @property
    def wrong(self) -> dict[str, object]:
        return {"key": "wrong"}


@pytest.fixture
def venue(monkeypatch) -> Iterator[Meadow]:
    monkeypatch.setattr(rest, "STALE_SECONDS", 0.5)
    with serving(MeadowStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Meadow(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


_REPLACES = "it replaces no order, and says so"
_LINKS = "it links no orders, and says so"


class TestMadeUpVenue(BrokerageContract):
    not_applicable = {
        "test_a_stop_waits_for_its_price": "it has market and limit orders alone",
        "test_a_replaced_order_is_told_as_such_and_its_successor_gets_the_fills": _REPLACES,
        "test_a_successor_is_cancelled_by_its_own_name": _REPLACES,
        "test_the_successor_of_an_order_that_is_filled_in_part_is_for_the_rest": _REPLACES,
        "test_a_replacement_that_comes_too_late_is_refused_and_the_fill_is_heard": _REPLACES,
        "test_a_lost_answer_to_a_replacement_is_settled_by_what_the_venue_shows": _REPLACES,
        "test_a_replacement_whose_process_was_lost_is_settled_for_the_next": _REPLACES,
        "test_a_replacement_that_a_lost_process_never_sent_leaves_the_order_as_it_was": _REPLACES,
        "test_the_exits_of_a_bracket_wait_for_its_entry_and_one_cancels_the_other": _LINKS,
        "test_the_exits_of_an_entry_that_is_cancelled_go_with_it": _LINKS,
        "test_of_two_alternatives_one_is_filled_and_the_other_cancelled": _LINKS,
        "test_an_order_that_another_one_triggers_waits_for_it": _LINKS,
        "test_a_position_is_told_with_what_a_unit_of_it_is_worth": "it tells units alone",
        "test_an_order_with_terms_that_nobody_knows_is_followed": "its orders have no words for type and duration",
        "test_repeated_and_reordered_events_are_told_once": "it is asked, and tells of nothing by itself",
        "test_the_venues_clock_is_read": "it has no clock",
    }


def test_it_overrides_five_things_and_no_more():
    own = {name for name in vars(MeadowBrokerage) if not name.startswith("__")}
    paths = {"_orders_path", "_positions_path", "_account_path"}
    assert own - paths - {"venue", "_abc_impl"} == {
        "_order_payload",
        "_parse_order",
        "_parse_positions",
        "_parse_account",
    }
