"""What a person does by hand at the broker, beside a session that trades there."""

from __future__ import annotations

import pytest

from risk.models import Account
from tests.engine.builders import buy
from tests.reconciling.conftest import forgetful as forgetful
from tests.reconciling.places import ACCOUNT, alpaca, by_hand, traded
from tests.risk.waiting import eventually
from tests.trading.sessions import Gatehouse, statuses
from trading.models import OutsideOrder

pytestmark = pytest.mark.django_db(transaction=True)


def test_17_a_manual_order_is_kept_as_external_and_counts_in_the_limits(house: Gatehouse) -> None:
    Account.objects.create(name=ACCOUNT, limits={"max_gross_exposure": "800"})
    with alpaca() as stub:

        def trade_by_hand(number: int) -> None:
            if number == 1:
                by_hand(stub, "buy", 3)
                eventually(lambda: OutsideOrder.objects.filter(status="filled").exists())

        made = traded(house, stub, [[buy(4)], [buy(2)]], trade_by_hand)
    assert statuses(made) == ["filled", "denied"]
    assert not made.engine.orders[f"{made.run_id.hex}-1"].external
