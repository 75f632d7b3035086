"""The ledger across runs: what is shown, what it comes to, and that a file holds the same."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.pages.builders import buys, rests, session
from trading.engine.orders import Side
from trading.ledger_room import queries
from trading.ledger_room.queries import Wanted
from trading.models import LedgerEvent, Mode

pytestmark = pytest.mark.django_db

URL = "/ui/ledger/"
#: Session, user; rows, totals; kinds, promotions, kill switch, its history, differences, alerts.
BUDGET = 12


def test_empty_it_says_what_to_do_first(operator: Client) -> None:
    assert "Start the first run" in operator.get(URL).content.decode()


def test_rows_of_all_runs_stand_newest_first(operator: Client) -> None:
    buys(session("older", began=datetime(2026, 1, 2, tzinfo=UTC)), "SPY")
    buys(session("newer", began=datetime(2026, 1, 3, tzinfo=UTC)), "BAC")
    for table in ("orders", "fills", "events"):
        page = operator.get(URL, {"table": table}).content.decode()
        assert page.index("newer") < page.index("older")


def three_runs() -> None:
    buys(session("alpha", began=datetime(2026, 1, 2, tzinfo=UTC)), "SPY")
    buys(session("beta", began=datetime(2026, 1, 3, tzinfo=UTC)), "BAC")
    live = session("gamma", began=datetime(2026, 1, 4, tzinfo=UTC), mode=Mode.LIVE, synthetic=False)
    buys(live, "QQQ", side=Side.SELL)


CHOICES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["QQQ", "BAC", "SPY"]),
    ({"symbol": "BAC"}, ["BAC"]),
    ({"side": "sell"}, ["QQQ"]),
    ({"run": "alph"}, ["SPY"]),
    ({"account": "live"}, ["QQQ"]),
    ({"account": "synthetic"}, ["BAC", "SPY"]),
    ({"account": "backtest"}, []),
    ({"since": "2026-01-03"}, ["QQQ", "BAC"]),
    ({"until": "2026-01-02"}, ["SPY"]),
]


@pytest.mark.parametrize(("asked", "symbols"), CHOICES)
def test_what_is_chosen_is_shown_and_added_up(operator: Client, asked: dict[str, str], symbols: list[str]) -> None:
    three_runs()
    context = operator.get(URL, {"table": "fills", **asked}).context
    assert [row["symbol"] for row in context["items"]] == symbols
    assert sum(one["count"] for one in context["totals"]["items"]) == len(symbols)


@pytest.mark.django_db(transaction=True)
def test_a_file_holds_what_is_chosen(operator: Client) -> None:
    three_runs()
    for asked, symbols in CHOICES:
        answer = operator.get(f"{URL}download/", {"table": "fills", **asked})
        written = csv.DictReader(io.StringIO(answer.content.decode()))
        assert sorted(row["symbol"] for row in written) == sorted(symbols), asked
    answer = operator.get(f"{URL}download/", {"table": "fills", "format": "parquet", "symbol": "SPY"})
    (fill,) = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert (fill["symbol"], fill["qty"]) == ("SPY", Decimal(10))
    assert "fills.parquet" in answer.headers["Content-Disposition"]


@pytest.mark.django_db(transaction=True)
def test_too_long_a_file_is_refused_in_words(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.ledger_room.views.MOST_ROWS", 1)
    buys(session())
    answer = operator.get(f"{URL}download/", {"table": "events"})
    assert (answer.status_code, "more than 1 rows" in answer.content.decode()) == (422, True)


def test_the_states_of_orders_are_counted_and_chosen_by(operator: Client) -> None:
    run = session()
    buys(run)
    rests(run)
    (total,) = queries.totals("orders", Wanted())["items"]
    assert (total["count"], total["open"], total["filled"], total["refused"]) == (2, 1, 1, 0)
    assert [row["status"] for row in queries.ledger_page("orders", Wanted(status="accepted"))["items"]] == ["accepted"]


def test_money_of_different_kinds_is_never_added_up() -> None:
    for columns in ({}, {"mode": Mode.LIVE, "synthetic": False}):
        buys(session(**columns))
    fills = queries.ledger_page("fills", Wanted())["items"]
    totals = queries.totals("fills", Wanted())["items"]
    assert [total["account"] for total in totals] == ["live", "synthetic"]
    assert [Decimal(total["bought"]) for total in totals] == [
        Decimal(one["qty"]) * Decimal(one["price"]) for one in fills
    ]


def test_an_option_is_worth_its_multiplier() -> None:
    buys(session(), "SPY251219C00600000", "1")
    (fill,) = queries.ledger_page("fills", Wanted())["items"]
    (total,) = queries.totals("fills", Wanted())["items"]
    assert Decimal(total["bought"]) == 100 * Decimal(fill["price"])


def test_a_long_ledger_is_not_added_up(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST_ADDED", 1)
    run = session()
    buys(run)
    buys(run)
    assert "More than 1 rows" in operator.get(URL).content.decode()


def test_a_runs_entries_show_their_hashes_in_the_order_of_its_chain(operator: Client) -> None:
    run = session()
    buys(run)
    buys(session("another"))
    rows = queries.ledger_page("events", Wanted(run=str(run.run.id)))["items"]
    chain = LedgerEvent.objects.filter(run=run.run).order_by("-seq")
    assert [(row["seq"], row["hash"]) for row in rows] == [(one.seq, bytes(one.hash).hex()) for one in chain]
    page = operator.get(URL, {"table": "events", "run": str(run.run.id)}).content.decode()
    assert rows[0]["hash"] in page


def test_pages_follow_one_another_without_a_gap() -> None:
    run = session()
    for _ in range(3):
        buys(run)
    for wanted in (Wanted(), Wanted(run=str(run.run.id))):
        whole = [row["id"] for row in queries.ledger_page("events", wanted)["items"]]
        read, after = [], None
        while page := queries.ledger_page("events", wanted, after, limit=4):
            read += [row["id"] for row in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert read == whole


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"since": "yesterday"}, "First day, UTC"),
        ({"side": "up"}, "Side"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "Last day, UTC"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(operator: Client, asked: dict[str, str], named: str) -> None:
    answer = operator.get(URL, asked)
    assert (answer.status_code, f"<li>{named}:" in answer.content.decode()) == (422, True)


def test_a_table_that_is_not_there_is_not_found(operator: Client) -> None:
    for asked in ({"table": "secrets"}, {"after": "made-up"}):
        assert operator.get(URL, asked).status_code == 404
    assert operator.get(f"{URL}download/", {"format": "exe"}).status_code == 404


def test_its_queries_do_not_grow_with_the_rows(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        buys(session(f"run {number}"))
    for table in ("orders", "fills", "events"):
        with django_assert_max_num_queries(BUDGET):
            operator.get(URL, {"table": table})


def test_a_viewer_may_read_it(viewer: Client) -> None:
    assert viewer.get(URL).status_code == 200


@pytest.mark.parametrize(("asked", "symbols"), CHOICES)
def test_the_api_adds_up_what_the_page_does(operator: Client, asked: dict[str, str], symbols: list[str]) -> None:
    three_runs()
    asked = {"search" if name == "run" else name: value for name, value in asked.items()}
    answer = operator.get("/ledger/totals", {"table": "fills", "status": "filled", **asked}).json()
    assert sum(one["count"] for one in answer["items"]) == len(symbols)


@pytest.mark.django_db(transaction=True)
def test_the_api_gives_both_forms_of_file_by_the_filters_of_the_page(operator: Client) -> None:
    three_runs()
    asked = {"table": "fills", "account": "synthetic", "side": "buy"}
    table = pq.read_table(io.BytesIO(operator.get("/ledger/export", {**asked, "format": "parquet"}).content))
    assert sorted(table.column("symbol").to_pylist()) == ["BAC", "SPY"]
    only = operator.get("/ledger/export", {**asked, "search": "alph", "format": "parquet"}).content
    assert pq.read_table(io.BytesIO(only)).column("symbol").to_pylist() == ["SPY"]
    assert operator.get("/ledger/export", {"account": "made-up"}).status_code == 422
