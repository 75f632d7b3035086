"""The same at each venue whose account others trade in too."""

from __future__ import annotations

import pytest

from brokers import BROKERAGES
from tests.engine.builders import buy, sell
from tests.reconciling.places import by_hand, traded
from tests.risk.waiting import eventually
from tests.trading.places import open_market
from tests.trading.sessions import row, statuses
from tests.venues import tradier
from trading.models import AccountEntry, Difference, OutsideOrder

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS = {"tradier": {"token": tradier.TOKEN, "account_id": tradier.ACCOUNT}, "ibkr": {}}


@pytest.mark.parametrize("name", ["tradier", "ibkr"])
def test_what_others_hold_and_trade_is_told_apart_from_what_the_run_does(house, name):
    with open_market(name) as market:
        given = market.brokerage
        made = BROKERAGES[given["class"]](**given["kwargs"], **SECRETS[name], poll_seconds=0.1)
        by_hand(market.stub, "buy", 7)

        def others(number):
            if number == 1:
                by_hand(market.stub, "buy", 5, limit="50")
                eventually(lambda: OutsideOrder.objects.filter(status="accepted").exists())

        session = traded(house, market.stub, [[buy(2)], [sell(1)]], others, brokerage=made)
    assert (statuses(session), row(session).reason) == (["filled", "filled"], "the feed ended")
    assert AccountEntry.objects.get(symbol__startswith="SPY").qty == 7
    assert not Difference.objects.exists()
