"""Testing the connection to an account: the real adapters at the stub venues, beside the real ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from access.models import AuditEntry
from access.principals import cli_principal
from brokers.sightings import VenueOrder
from tests.risk.test_halting import holding, resting, running
from tests.trading.places import SYMBOL, Market
from tests.venues.book import Terms
from trading.engine.orders import OrderRequest, OrderType, Side
from trading.engine.updates import UpdateKind
from trading.models import Order, Run, RunStatus, VenueCheck
from trading.venues import actions, comparing, queries
from trading.venues.places import PLACES
from trading.venues.probing import NAMES, probe

pytestmark = pytest.mark.django_db

each_venue = pytest.mark.parametrize("venue", ["alpaca", "ibkr", "tradier"], indirect=True)
with_credentials = pytest.mark.parametrize("venue", ["alpaca", "tradier"], indirect=True)


def ended_run(venue: str, **given: Any) -> Run:
    """A run of the paper account that has left behind what it held."""
    return running(account=f"{venue}-paper", venue=venue, status=RunStatus.STOPPED, **given)


def after_a_test(venue: str) -> dict[str, Any]:
    actions.test_connection(f"{venue}-paper", cli_principal())
    return queries.account(f"{venue}-paper")


def verdicts(row: dict[str, Any]) -> dict[str, bool | None]:
    return {name: finding["ok"] for name, finding in row["readiness"].items()}


def buys(market: Market, qty: int, **terms: Any) -> str:
    """An order past the product, at the venue's own book; its id there."""
    given = Terms(SYMBOL, "buy", qty=Decimal(qty), **terms)
    if hasattr(market.stub, "by_hand"):
        return str(market.stub.by_hand(given))
    return str(market.stub.call(market.stub.book.submit, given).id)


@each_venue
def test_an_account_where_all_is_well_is_ready_and_its_books_agree(venue: str, market: Market) -> None:
    buys(market, 5)
    holding(ended_run(venue), 5)
    row = after_a_test(venue)
    assert list(row["readiness"]) == list(NAMES)
    well = verdicts(row)
    assert {name: well[name] for name in ("credentials", "rest", "stream", "clock")} == dict.fromkeys(
        ("credentials", "rest", "stream", "clock"), True
    )
    assert (row["ready"], row["differences"]) == (True, 0)
    assert row["positions"] == [{"symbol": SYMBOL, "venue": "5", "ours": "5", "differs": False}]
    assert Decimal(row["money"]["equity"]) == Decimal(row["money"]["cash"]) + 500


@each_venue
def test_a_test_sends_nothing_but_questions(venue: str, market: Market) -> None:
    buys(market, 3, type="limit", limit_price=Decimal(90))
    before = len(market.stub.book.journal.entries)
    after_a_test(venue)
    assert len(market.stub.book.journal.entries) == before


@each_venue
def test_an_order_by_hand_and_a_position_of_others_are_differences(venue: str, market: Market) -> None:
    buys(market, 5)
    buys(market, 3, type="limit", limit_price=Decimal(90))
    holding(ended_run(venue), 4)
    row = after_a_test(venue)
    assert row["positions"] == [{"symbol": SYMBOL, "venue": "5", "ours": "4", "differs": True}]
    (order,) = row["orders"]
    assert (order["seen"], order["side"], order["qty"], order["run_id"]) == ("venue", "buy", "3", None)
    assert row["differences"] == 2


def test_an_order_of_ours_is_known_at_the_venue_and_one_that_it_lacks_is_marked(market: Market) -> None:
    buys(market, 3, type="limit", limit_price=Decimal(90), client_order_id="mine-1")
    run = ended_run("alpaca")
    known = resting(run, client_order_id="mine-1", qty=3)
    gone = resting(run, client_order_id="mine-2", qty=3)
    rows = {row["id"]: (row["seen"], row["differs"]) for row in after_a_test("alpaca")["orders"]}
    assert rows == {known.pk: ("both", False), gone.pk: ("ours", True)}


@with_credentials
def test_wrong_credentials_are_told_with_the_variables_to_set(
    venue: str, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"alpaca": "ALPHASWARM_ALPACA_API_KEY", "tradier": "ALPHASWARM_TRADIER_TOKEN"}
    monkeypatch.setenv(names[venue], "wrong")
    row = after_a_test(venue)
    assert verdicts(row)["credentials"] is False
    assert names[venue] in row["readiness"]["credentials"]["says"]
    assert (row["ready"], row["money"], row["positions"], row["differences"]) == (False, None, None, None)


@each_venue
def test_a_venue_that_is_down_is_told_and_its_stream_is_not_asked(
    venue: str, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    if venue == "ibkr":
        monkeypatch.setenv("ALPHASWARM_IBKR_PORT", "9")
    else:
        monkeypatch.setenv(f"ALPHASWARM_{venue.upper()}_BASE_URL", "http://127.0.0.1:9")
    row = after_a_test(venue)
    assert verdicts(row)["rest"] is False
    assert venue in row["readiness"]["rest"]["says"]
    assert row["readiness"]["stream"] == {"ok": None, "says": "Not asked."}


def test_a_venue_that_hangs_is_left_at_the_deadline(market: Market) -> None:
    market.stub.faults.plan("delay", where="GET /v2/account", seconds=2)
    found = probe(PLACES["alpaca-paper"].door, listen=True, seconds=1.0)
    assert found.readiness["rest"].ok is False
    assert found.readiness["rest"].says == "No answer within 1 s."


def test_a_stream_that_does_not_come_up_leaves_what_the_rest_told(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASWARM_ALPACA_STREAM_URL", "ws://127.0.0.1:9")
    found = probe(PLACES["alpaca-paper"].door, listen=True, seconds=3.0)
    assert found.account is not None
    assert (found.readiness["rest"].ok, found.readiness["stream"].ok) == (True, False)


@each_venue
def test_the_stream_is_left_to_a_session_that_is_under_way(venue: str, market: Market) -> None:
    running(account=f"{venue}-paper", venue=venue)
    row = after_a_test(venue)
    assert (row["sessions"], row["ready"]) == (1, True)
    assert row["readiness"]["stream"]["ok"] is None
    assert "a session has the account's stream" in row["readiness"]["stream"]["says"]


def test_an_account_of_the_other_kind_is_refused(monkeypatch: pytest.MonkeyPatch, market: Market) -> None:
    monkeypatch.setenv("ALPHASWARM_ALPACA_BASE_URL", "https://api.alpaca.markets")
    row = after_a_test("alpaca")
    assert row["readiness"]["rest"]["ok"] is False
    assert "real money" in row["readiness"]["rest"]["says"]


def test_what_is_not_set_up_is_not_asked_and_says_which_variables_to_set() -> None:
    row = after_a_test("tradier")
    assert verdicts(row) == {**dict.fromkeys(NAMES), "credentials": False}
    assert "ALPHASWARM_TRADIER_TOKEN and ALPHASWARM_TRADIER_ACCOUNT_ID" in row["readiness"]["credentials"]["says"]
    assert row["missing"] == ["ALPHASWARM_TRADIER_TOKEN", "ALPHASWARM_TRADIER_ACCOUNT_ID"]


def test_the_last_test_is_kept_with_its_time_and_audited(market: Market) -> None:
    after_a_test("alpaca")
    row = after_a_test("alpaca")
    assert row["tested"]["seconds"] > 0
    assert VenueCheck.objects.count() == 1
    assert AuditEntry.objects.filter(verb="account.test", target="account:alpaca-paper").count() == 2


def test_what_the_venue_says_of_the_account_is_told(market: Market) -> None:
    market.stub.clock_open = False
    row = after_a_test("alpaca")
    assert row["readiness"]["entitlements"] == {"ok": True, "says": "Status ACTIVE, shorting yes."}
    assert row["readiness"]["market"] == {"ok": False, "says": "The regular session is closed."}
    assert row["ready"] is True


def test_accounts_are_listed_that_are_set_up_or_were_traded_in(market: Market) -> None:
    running(account="tradier-paper", venue="tradier", status=RunStatus.STOPPED)
    assert [row["account"] for row in queries.accounts()] == ["alpaca-paper", "alpaca-live", "tradier-paper"]


def test_a_gateway_needs_no_variable_and_is_asked_where_a_run_has_traded() -> None:
    assert queries.accounts() == []
    ended_run("ibkr")
    (row,) = queries.accounts()
    assert (row["account"], row["missing"], row["ready"]) == ("ibkr-paper", [], None)


def test_a_ticker_is_compared_however_a_recipe_spells_it() -> None:
    rows = comparing.positions([], {"SPY.XNAS": Decimal(2), "BTC/USD": Decimal(0)})
    assert [(row["ours"], row["differs"]) for row in rows] == [("2", True)]


def test_a_fill_that_only_one_has_heard_of_is_a_difference() -> None:
    terms = OrderRequest(symbol="SPY", side=Side.BUY, qty=Decimal(5), type=OrderType.MARKET)
    shown = VenueOrder(
        client_order_id="a",
        venue_order_id="v",
        state=UpdateKind.ACCEPTED,
        terms=terms,
        time=0,
        filled_qty=Decimal(2),
        avg_price=Decimal(100),
    )
    row = {"id": "1", "run_id": "r", "client_order_id": "a", "venue_order_id": None, "filled_qty": "1"}
    row |= {"symbol": "SPY", "side": "buy", "qty": "5"}
    assert [one["differs"] for one in comparing.orders([shown], [row])] == [True]
    assert [one["differs"] for one in comparing.orders([shown], [{**row, "filled_qty": "2"}])] == [False]
    assert Order.objects.count() == 0
