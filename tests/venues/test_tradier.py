"""The stub speaks Tradier's protocol, quirks and all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from tests.venues import tradier
from tests.venues.faults import Fault
from tests.venues.serving import serving
from tests.venues.tradier import ACCOUNT, TOKEN, TradierStub

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}


@pytest.fixture
def venue() -> Iterator[TradierStub]:
    with serving(TradierStub()) as stub:
        stub.trade("SPY", "100")
        yield stub


def call(venue: TradierStub, method: str, path: str, **form: Any) -> requests.Response:
    return requests.request(
        method, f"{venue.url}/v1/accounts/{ACCOUNT}/{path}", headers=HEADERS, data=form or None, timeout=10
    )


def place(venue: TradierStub, **form: Any) -> requests.Response:
    terms = {"class": "equity", "symbol": "SPY", "side": "buy", "quantity": 10, "type": "market", "duration": "day"}
    return call(venue, "POST", "orders", **{**terms, **form})


def test_the_headers_count_the_requests_of_the_last_minute_and_say_when_it_is_over(venue, monkeypatch):
    monkeypatch.setattr(tradier, "_MINUTE", 0.2)
    first, second = (call(venue, "GET", "orders").headers for _ in range(2))
    time.sleep(0.25)
    later = call(venue, "GET", "orders").headers

    assert [one["X-Ratelimit-Available"] for one in (first, second, later)] == ["119", "118", "119"]
    assert int(first["X-Ratelimit-Expiry"]) == int(second["X-Ratelimit-Expiry"]) < int(later["X-Ratelimit-Expiry"])


def test_an_order_is_received_and_found_by_its_tag(venue):
    answer = place(venue, tag="run-1").json()
    order = call(venue, "GET", f"orders/{answer['order']['id']}?includeTags=true").json()["order"]

    assert answer["order"]["status"] == "ok"
    assert (order["status"], order["tag"], order["exec_quantity"]) == ("filled", "run-1", 10.0)


def test_a_tag_can_be_used_twice(venue):
    numbers = {place(venue, tag="run-1").json()["order"]["id"] for _ in range(2)}

    assert len(numbers) == 2


def test_rows_are_a_text_an_object_or_a_list(venue):
    shapes = []
    for _ in range(3):
        shapes.append(type(orders["order"]) if (orders := orders_of(venue)) != "null" else orders)
        place(venue, type="limit", price="90")

    assert shapes == ["null", dict, list]


def orders_of(venue: TradierStub) -> Any:
    return call(venue, "GET", "orders").json()["orders"]


def test_orders_of_an_earlier_day_are_not_listed(venue):
    place(venue)
    venue.orders_hidden = True

    assert orders_of(venue) == "null"


def test_what_the_broker_refuses_is_answered_with_200_and_errors(venue):
    answer = place(venue, quantity=100_000)

    assert answer.status_code == 200
    assert answer.json() == {"errors": {"error": ["insufficient buying power"]}}


def test_a_bad_parameter_is_answered_in_plain_text(venue):
    answer = place(venue, duration="ioc")

    assert (answer.status_code, answer.text) == (400, "Invalid parameter, duration: ioc.")


def test_cancelling_what_is_over_and_what_is_unknown(venue):
    number = place(venue).json()["order"]["id"]

    assert call(venue, "DELETE", f"orders/{number}").status_code == 400
    assert call(venue, "DELETE", "orders/5").status_code == 401


def test_a_changed_order_keeps_its_number(venue):
    number = place(venue, type="limit", price="90").json()["order"]["id"]
    call(venue, "PUT", f"orders/{number}", price="101")

    assert call(venue, "GET", f"orders/{number}").json()["order"]["status"] == "filled"


def test_a_short_position_has_a_negative_quantity_and_a_total_cost(venue):
    place(venue, side="sell_short")

    [position] = [call(venue, "GET", "positions").json()["positions"]["position"]]
    assert (position["quantity"], position["cost_basis"]) == (-10.0, -1000.0)


def test_buying_power_lies_below_the_account_type(venue):
    assert call(venue, "GET", "balances").json()["balances"]["margin"]["stock_buying_power"] == 100_000.0


def test_a_wrong_token_is_a_fault(venue):
    answer = requests.get(f"{venue.url}/v1/user/profile", headers={**HEADERS, "Authorization": "Bearer x"}, timeout=10)

    assert (answer.status_code, list(answer.json())) == (401, ["fault"])


def test_the_account_socket_tells_of_orders_without_their_symbol(venue):
    session = requests.post(f"{venue.url}/v1/accounts/events/session", headers=HEADERS, timeout=10).json()["stream"]
    with connect(session["url"]) as socket:
        socket.send(json.dumps({"events": ["order"], "sessionid": session["sessionid"], "excludeAccounts": []}))
        while not any(stream.ready for stream in list(venue.streams)):
            time.sleep(0.01)
        place(venue)
        heard = [json.loads(socket.recv(timeout=10)) for _ in range(2)]

    assert [one["status"] for one in heard] == ["open", "filled"]
    assert "symbol" not in heard[0]


def test_an_error_after_the_order_was_taken_leaves_it_at_the_venue(venue):
    venue.faults.plan(Fault.ERROR, where=f"POST /v1/accounts/{ACCOUNT}/orders")

    assert place(venue, tag="run-1").status_code == 500
    assert [entry["client_order_id"] for entry in venue.book.journal.of("fill")] == ["run-1"]
