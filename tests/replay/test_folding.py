"""A run that is cut anywhere, folded and gone on with is the run that was never cut."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.replay.driven import Driven, DrivenElsewhere, folded, resumed, told_of
from tests.risk.sizes import method
from tests.trading.drawn import LIMITS, SYMBOLS, TIMERS, VENUES, WANTED, Replayed, brokerage, markets
from tests.trading.sessions import CASH
from trading.engine.engine import Engine
from trading.engine.margin import AccountType

SIZINGS = st.sampled_from(
    [
        None,
        None,
        {"method": "volatility_target", "annual_vol": 2, "window": 2, "initial": "0.5"},
        {"method": "kelly", "kind": "discrete", "min_trades": 2, "initial": "0.5", "cap": "0.4"},
    ]
)


def made(wanted, timers, limits, sizing, account=AccountType.UNLEVERED):
    agent = RiskManagementAgent(RiskLimits(**limits), CASH, sizing and method(**sizing))
    return Engine("run", Replayed(wanted, timers), agent, SYMBOLS, CASH, account=account)


@settings(max_examples=40, deadline=None)
@given(markets(), WANTED, TIMERS, VENUES, LIMITS, SIZINGS, st.data())
def test_at_the_simulated_venue_it_leaves_the_same_facts(bars, wanted, timers, venue, limits, sizing, data):
    def make():
        return made(wanted, timers, limits, sizing, AccountType(venue["account"])), brokerage(venue)

    whole = Driven(*make())
    whole.trade(bars)
    whole.end()
    at = data.draw(st.integers(0, len(whole.facts)))
    again = resumed(make, whole, at, quiet=data.draw(st.integers(0, 3)))
    assert again.facts == whole.facts
    assert again.seen == whole.seen
    assert told_of(again.engine) == told_of(whole.engine)


@settings(max_examples=60, deadline=None)
@given(markets(), WANTED, TIMERS, LIMITS, SIZINGS, st.integers(0, 10**6), st.data())
def test_at_a_venue_that_answers_as_it_likes_it_knows_the_same(bars, wanted, timers, limits, sizing, seed, data):
    moments = []

    def look(run):
        moments.append((list(run.facts), list(run.seen), told_of(run.engine)))

    run = DrivenElsewhere(made(wanted, timers, limits, sizing), random.Random(seed), look)
    run.trade(bars)
    run.end()
    facts, seen, knew = moments[data.draw(st.integers(0, len(moments) - 1))]
    again = made(wanted, timers, limits, sizing)
    folded(again, None, facts, seen)
    assert told_of(again) == knew
