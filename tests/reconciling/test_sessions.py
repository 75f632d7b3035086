"""What sessions of a shared account make of what others do there, and of what nothing explains."""

from __future__ import annotations

from decimal import Decimal

import pytest

from risk.models import Account
from tests.engine.builders import buy, sell
from tests.reconciling.places import ACCOUNT, alpaca, by_hand, silently, traded
from tests.risk.waiting import eventually
from tests.trading.sessions import row, statuses
from trading.models import AccountEntry, Difference, OutsideOrder
from trading.reconciling import looking

pytestmark = pytest.mark.django_db(transaction=True)


def denials(made):
    reasons = row(made).orders.filter(status="denied").order_by("seq").values_list("reason", flat=True)
    return [reason.partition(":")[0] for reason in reasons]


def test_what_an_account_holds_when_it_is_first_looked_at_is_nobodys_and_no_difference(house):
    with alpaca() as stub:
        by_hand(stub, "buy", 7)
        made = traded(house, stub, [[buy(2)]])
    assert (made.engine.qty("SPY"), row(made).reason) == (2, "the feed ended")
    held = {entry.symbol: (entry.qty, entry.cash) for entry in AccountEntry.objects.all()}
    assert held == {"SPY": (7, 0), "": (0, Decimal(99_300))}
    assert not Difference.objects.exists()


def test_manual_orders_are_kept_as_those_of_others_and_explain_what_they_did(house):
    with alpaca() as stub:

        def others(number):
            if number == 1:
                by_hand(stub, "buy", 3)
                by_hand(stub, "buy", 5, limit="50")
                eventually(lambda: OutsideOrder.objects.count() == 2)

        made = traded(house, stub, [[buy(2)], []], others)
    assert (made.engine.qty("SPY"), row(made).reason) == (2, "the feed ended")
    told = OutsideOrder.objects.order_by("id").values_list("side", "qty", "filled_qty", "status")
    assert list(told) == [("buy", 3, 3, "filled"), ("buy", 5, 0, "accepted")]
    assert not Difference.objects.exists()


def test_units_that_nothing_explains_hold_back_what_opens_and_let_exits_pass(house):
    with alpaca() as stub:

        def vanish(number):
            if number == 1:
                silently(stub, 5)
                made_looks(stub)
                eventually(lambda: Difference.objects.filter(state="open").exists())

        made = traded(house, stub, [[buy(2)], [buy(1)], [sell(1)]], vanish)
    one = Difference.objects.get()
    assert (one.kind, one.symbol, one.amount, one.state) == ("position", "SPY", 5, "open")
    assert (one.ledger["in_all"], one.venue["in_all"]) == ("1", "6")
    assert denials(made) == ["unreconciled"]
    assert statuses(made) == ["filled", "denied", "filled"]
    assert "the ledger has 1 SPY, the venue 6" in row(made).reason


def made_looks(stub):
    """An order of others, which makes the session look."""
    by_hand(stub, "buy", 1, limit="1")


@pytest.mark.parametrize("news", [True, False])
def test_a_difference_that_vanishes_closes_by_itself_whether_anything_tells_of_it_or_not(house, monkeypatch, news):
    monkeypatch.setattr(looking, "STANDING_SECONDS", 60.0 if news else 0.1)
    with alpaca() as stub:

        def come_and_go(number):
            if number == 1:
                silently(stub, 5)
                made_looks(stub)
                eventually(lambda: Difference.objects.filter(state="open").exists())
                silently(stub, -5)
                if news:
                    made_looks(stub)
                eventually(lambda: Difference.objects.filter(state="explained").exists())

        made = traded(house, stub, [[buy(2)], [buy(1)]], come_and_go)
    assert statuses(made) == ["filled", "filled"]
    assert row(made).reason == "the feed ended"


def test_orders_of_another_session_are_not_those_of_others(house):
    with alpaca() as stub:
        first = traded(house, stub, [[buy(2)]])
        second = traded(house, stub, [[buy(3)]])
        assert not OutsideOrder.objects.exists()
        assert not Difference.objects.exists()
        assert (row(first).reason, row(second).reason) == ("the feed ended", "the feed ended")
        silently(stub, -1)
        third = traded(house, stub, [[buy(1)]])
    assert denials(third) == ["unreconciled"]
    assert Difference.objects.get().amount == -1


def test_what_is_nobodys_counts_towards_the_limits_of_its_account(house):
    Account.objects.create(name=ACCOUNT, limits={"max_gross_exposure": "1000"})
    with alpaca() as stub:

        def others(number):
            if number == 1:
                by_hand(stub, "buy", 5)
                by_hand(stub, "buy", 2, limit="90")
                eventually(lambda: OutsideOrder.objects.count() == 2)

        made = traded(house, stub, [[buy(2)], [buy(2)], [buy(1)]], others)
    assert statuses(made) == ["filled", "denied", "filled"]
    assert denials(made) == ["account_max_gross_exposure"]
