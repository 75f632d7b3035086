"""Differences that wait for a person, and what a person does about them: by API, command line and page."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from alphaswarm_site.commands import BadInput, Refused
from brokers.base import VenueAccount, VenuePosition
from brokers.sightings import VenueOrder
from risk import places
from risk.account_limits import Opening
from tests.engine.builders import buy, sell
from tests.reconciling.places import ACCOUNT
from tests.risk.test_api import caller as caller
from tests.risk.test_api import code_of, post
from tests.risk.test_api import device as device
from tests.risk.test_api import owner as owner
from tests.trading.sessions import new_run
from tests.venue_accounts.conftest import market as market
from tests.venue_accounts.conftest import no_servers_of_its_own as no_servers_of_its_own
from tests.venue_accounts.conftest import no_venue_is_set_up as no_venue_is_set_up
from tests.venue_accounts.conftest import venue as venue
from trading.connections import connect
from trading.engine.orders import Side
from trading.engine.updates import UpdateKind
from trading.grants import decide, read_state
from trading.models import AccountEntry, Difference, OutsideOrder, Run
from trading.reconciling import book
from trading.reconciling.compare import Shown, Unbelievable
from trading.reconciling.settling import OtherAccount, settle

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_servers_of_its_own")]


def shown(
    qty: str = "0",
    cash: str = "1000",
    orders: tuple[VenueOrder, ...] = (),
    number: str = "A1",
    worth: str | None = None,
) -> Shown:
    held = [VenuePosition("SPY", Decimal(qty), worth and Decimal(worth))] if Decimal(qty) else []
    money = VenueAccount(number, cash=Decimal(cash), equity=Decimal(cash), buying_power=Decimal(cash))
    return Shown(money, held, orders)


def look(*args, times: int = 2, may_begin: bool = False, **options):
    """The same look so often, as each look after the other is made."""
    before, settled = {}, None
    for _ in range(times):
        with connect() as database:
            settled = settle(database, ACCOUNT, shown(*args, **options), before=before, may_begin=may_begin)
        before = settled.amounts
    return settled


def may_open() -> str:
    """What is said to an order that opens SPY: nothing where it may leave."""
    asked = Opening("order", "run", "SPY.ARCA", Side.BUY, Decimal(1), Decimal(100))
    with connect() as database:
        [answer] = decide(database, ACCOUNT, [[asked]])
    return "" if answer is None else answer.code


@pytest.fixture
def begun() -> None:
    look("2", times=1, may_begin=True)


@pytest.fixture
def difference(begun) -> Difference:
    look("7")
    return Difference.objects.get()


def test_a_difference_is_put_before_a_person_once_it_was_seen_twice_with_the_same_amount(begun):
    assert not look("7", times=1).opened
    assert not Difference.objects.exists()
    assert len(look("7").found) == 1
    look("7", times=3)
    one = Difference.objects.get()
    assert (one.kind, one.symbol, one.amount, one.state) == ("position", "SPY", 5, "open")
    assert (one.ledger, one.venue) == ({"in_all": "2", "runs": {}, "outside": "2"}, {"in_all": "7"})
    assert may_open() == "unreconciled"


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e308"])
def test_a_figure_that_cannot_be_changes_nothing(difference, figure):
    with pytest.raises(Unbelievable):
        look(figure)
    with pytest.raises(Unbelievable):
        look("7", figure)
    with pytest.raises(Unbelievable):
        look("7", worth=figure)
    difference.refresh_from_db()
    assert (difference.state, difference.amount) == ("open", 5)


def test_another_account_behind_the_same_name_is_taken_as_it_is_by_the_session_that_begins_there_alone(begun):
    with pytest.raises(OtherAccount):
        look("9", number="B2", times=1)
    look("9", number="B2", may_begin=True)
    assert not Difference.objects.exists()
    assert sum(AccountEntry.objects.values_list("qty", flat=True)) == 9


def test_adopting_takes_the_venues_word_by_an_entry_and_lets_orders_leave(difference, caller, device):
    path, reason = f"/reconciliation/{difference.pk}/adopt", {"reason": "bought by hand"}
    assert post(caller("trade"), path, reason).status_code == 403
    assert post(caller("admin"), path, reason).status_code == 401
    with pytest.raises(BadInput, match="reason"):
        command("adopt", str(difference.pk), "--reason", " ")
    assert may_open() == "unreconciled"
    answer = post(caller("admin"), path, reason, **{"X-OTP": code_of(device)})
    assert (answer.status_code, answer.json()["state"]) == (200, "adopted")
    entry = AccountEntry.objects.latest("id")
    assert (entry.qty, entry.reason, entry.difference_id) == (5, "bought by hand", difference.pk)
    told = AuditEntry.objects.get(verb="reconciliation.adopt")
    assert (told.target, told.detail["amount"]) == (f"difference:{difference.pk}", "5")
    assert not look("7").found
    assert may_open() == ""


def worth_of_others() -> dict[str, Decimal]:
    with connect() as database:
        return {one.symbol: one.unit_value for one in read_state(database, ACCOUNT, with_loss=False).holdings}


def test_what_belongs_to_no_run_counts_at_what_the_venue_says_that_it_is_worth():
    look("2", worth="100", times=1, may_begin=True)
    assert worth_of_others() == {"SPY": Decimal(100)}
    look("2", worth="101", times=3)
    assert AccountEntry.objects.filter(symbol="SPY").count() == 1
    look("2", worth="103", times=3)
    look("2", worth=None)
    assert worth_of_others() == {"SPY": Decimal(103)}
    assert not Difference.objects.exists()


def test_what_is_adopted_is_priced_by_the_next_look(difference):
    command("adopt", str(difference.pk), "--reason", "bought by hand")
    assert worth_of_others() == {"SPY": Decimal(0)}
    look("7", worth="100", times=1)
    assert worth_of_others() == {"SPY": Decimal(100)}


def command(*words: str):
    out = io.StringIO()
    call_command("reconcile", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_what_is_ignored_comes_back_when_it_grows(difference):
    assert command("ignore", str(difference.pk), "--reason", "known")["state"] == "ignored"
    assert may_open() == ""
    look("6")
    assert may_open() == ""
    look("8")
    difference.refresh_from_db()
    assert (difference.state, difference.amount) == ("open", 6)
    assert may_open() == "unreconciled"


def test_what_is_solved_is_solved_once(difference):
    command("adopt", str(difference.pk), "--reason", "bought by hand")
    with pytest.raises(Refused, match="adopted already"):
        command("adopt", str(difference.pk), "--reason", "again")
    assert AccountEntry.objects.filter(difference=difference).count() == 1


def test_money_that_nothing_explains_holds_no_order_back_and_is_adopted(begun):
    look("2", "1010")
    [row] = command("list")["items"]
    assert (row["kind"], row["amount"], may_open()) == ("cash", "10", "")
    command("adopt", str(row["id"]), "--reason", "a dividend")
    assert not look("2", "1010").found
    with pytest.raises(Refused, match="cannot be flattened"):
        command("flatten", str(row["id"]), "--reason", "no")


def under_our_name(name: str) -> VenueOrder:
    return VenueOrder(
        client_order_id=name, venue_order_id="v1", state=UpdateKind.ACCEPTED, terms=buy(3, limit="90"), time=1
    )


def test_an_order_under_our_name_that_the_ledger_does_not_have_is_a_difference_until_it_is_adopted(begun):
    run, _ = new_run()
    Run.objects.filter(pk=run.pk).update(account=ACCOUNT)
    order = under_our_name(f"{run.pk.hex}-4")
    look("2", orders=(order,))
    one = Difference.objects.get()
    assert (one.kind, one.subject, one.run_id) == ("order", order.client_order_id, run.pk)
    command("adopt", str(one.pk), "--reason", "the ledger was restored from yesterday")
    assert not look("2", orders=(order,)).found
    assert OutsideOrder.objects.get().status == "accepted"


def test_such_an_order_is_told_at_once_and_stays_when_the_venue_lists_it_no_more(begun):
    run, _ = new_run()
    Run.objects.filter(pk=run.pk).update(account=ACCOUNT)
    look("2", orders=(under_our_name(f"{run.pk.hex}-4"),), times=1)
    look("2")
    assert Difference.objects.get().state == "open"
    assert may_open() == "unreconciled"


def test_an_order_of_a_run_that_is_not_ours_is_one_of_others_and_shown_with_the_account(begun, caller, owner):
    order = under_our_name(f"{'0' * 32}-1")
    assert not look("2", orders=(order,)).found
    assert OutsideOrder.objects.get().name == order.client_order_id
    told = caller("read").get(f"/accounts/{ACCOUNT}").json()["outside"]
    assert [(one["symbol"], one["side"], one["qty"], one["status"]) for one in told] == [
        ("SPY", "buy", "3", "accepted")
    ]
    client = Client()
    client.force_login(owner)
    assert "Orders of others" in client.get(f"/ui/accounts/{ACCOUNT}/").content.decode()


def test_flattening_sells_what_the_venue_has_more_through_the_gate(house, market, monkeypatch, forgetful):
    monkeypatch.setattr(places, "gate", lambda: house.gate._path)
    stub = market.stub
    with connect() as database:
        number = f"PA{stub.book.number}"
        settle(database, ACCOUNT, shown("0", str(stub.book.cash), number=number), before={}, may_begin=True)
    stub.call(lambda: (stub.book.positions.update(SPY=Decimal(5)), stub.book.costs.update(SPY=Decimal(500))))
    assert command("now", ACCOUNT)["differences"] == ["the ledger has 0 SPY, the venue 5"]
    one = Difference.objects.get()
    house.engaged = True
    with pytest.raises(Refused, match="gate is closed"):
        command("flatten", str(one.pk), "--reason", "not ours")
    house.release()
    stub.faults.plan("refuse_throttle", where="POST /v2/orders", times=100)
    with pytest.raises(Refused, match="has not taken it"):
        command("flatten", str(one.pk), "--reason", "not ours")
    stub.faults.clear()
    one.refresh_from_db()
    assert (one.state, OutsideOrder.objects.get().status) == ("open", "rejected")
    assert command("flatten", str(one.pk), "--reason", "not ours")["state"] == "flattened"
    [order] = market.journal("order")
    assert (order["side"], order["qty"]) == ("sell", Decimal(5))
    assert order["client_order_id"].startswith(f"outside-{one.pk}-")
    assert command("now", ACCOUNT)["differences"] == []
    sent = OutsideOrder.objects.latest("id")
    assert (sent.status, sent.filled_qty, sent.reason) == ("filled", 5, "not ours")


@pytest.mark.parametrize(("filled", "left"), [("0", 5), ("2", 3)])
def test_what_a_flattening_order_leaves_when_it_ends_is_before_a_person_again(difference, filled, left):
    name = f"outside-{difference.pk}-a1"
    terms = sell(5)
    with connect() as database:
        book.entry(database, ACCOUNT, "SPY", qty=Decimal(5), by="me", reason="not ours", difference=difference.pk)
    sent = {"side": "sell", "type": "market", "qty": 5, "status": "submitted", "by": "me"}
    OutsideOrder.objects.create(
        account=ACCOUNT, name=name, venue_order_id=name, symbol="SPY", ticker="SPY", reason="not ours", **sent
    )
    Difference.objects.update(state="flattened", solved_at=timezone.now())
    held = str(7 - Decimal(filled))
    ended = VenueOrder(
        client_order_id=name,
        venue_order_id="v9",
        state=UpdateKind.REJECTED,
        terms=terms,
        time=1,
        filled_qty=Decimal(filled),
        avg_price=Decimal(100),
    )
    money = str(1000 + 100 * int(filled))
    look(held, money, orders=(ended,), times=1)
    assert may_open() == "unreconciled"
    look(held, money, orders=(ended,))
    one = Difference.objects.get()
    assert (one.pk, one.state, one.amount) == (difference.pk, "open", left)
    assert one.reason == "taken back: its order was rejected"


def test_the_page_shows_the_evidence_and_leads_to_the_verbs(difference, owner, device):
    client = Client()
    client.force_login(owner)
    page = client.get("/ui/reconciliation/").content.decode()
    assert "SPY" in page
    assert f"/ui/reconciliation/{difference.pk}/adopt/" in page
    assert '<span class="badge">1' in page
    form = f"/ui/reconciliation/{difference.pk}/ignore/"
    assert "known and may stay" in client.get(form).content.decode()
    assert client.post(form, {"reason": "", "code": ""}).status_code == 422
    assert client.post(form, {"reason": "known", "code": code_of(device)}).status_code == 302
    assert "Ledger and venues agree" in client.get("/ui/reconciliation/").content.decode()
    assert client.get("/ui/reconciliation/?state=nonsense").status_code == 404
