"""The option market maker: its closed form against the equations it solves, and its conduct on a made-up chain."""

from decimal import Decimal
from math import e

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bench.option_quotes import FixedWidthQuoter, trade
from brokers.sim import SimulatedBrokerage
from tests.feeds import chains
from trading.backtest import Curve, drive
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Right
from trading.engine.option_pricing import option_greeks
from trading.engine.orders import Side
from trading.engine.risk import RiskAgent
from trading.engine.volatility import MINUTES_PER_YEAR
from trading.strategies.lucic_tse import LucicTseOptionsStrategy, View, psi

QUIET = {"intensity": 1e-9, "decay": 40.0}


def best_offsets(time, drift, terminal, running, intensity, decay, edge=30):
    """Inventories up to ten, and the best offsets at each by the equation itself, integrated numerically."""
    q = np.arange(-edge, edge + 1.0)

    def slope(_, h):
        rise = np.diff(h)
        change = drift * q - running * q * q
        change[:-1] += intensity / (e * decay) * np.exp(decay * rise)
        change[1:] += intensity / (e * decay) * np.exp(-decay * rise)
        return change

    h = solve_ivp(slope, (0, time), -terminal * q * q, method="LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    inner = slice(edge - 10, edge + 11)
    above, below = 1 / decay + np.diff(h)[edge - 11 : edge + 10], 1 / decay - np.diff(h)[inner]
    return q[inner], above, below


@pytest.mark.parametrize("days", [16, 44])
@pytest.mark.parametrize("own", [0.16, 0.22, 0.3])
@pytest.mark.parametrize("running", [0.0, 0.00005])
def test_the_closed_form_is_within_three_hundredths_of_a_volatility_point_of_the_exact_one(days, own, running):
    """At the money, with the strategy's own penalties, for inventories of up to ten contracts either way."""
    implied, spot = 0.22, 100.0
    greeks = option_greeks(Right.CALL, spot, spot, days / 365, implied)
    point = greeks.vega / 100
    drift = (own**2 - implied**2) / 2 * spot**2 * greeks.gamma / MINUTES_PER_YEAR
    weight = (100 * point) ** 2 / 100
    terms = (30, drift, 0.002 * weight, running * weight, 0.5, 40.0)
    q, above, below = best_offsets(*terms)
    found = psi(*terms)
    assert np.abs(1 / 40 + found.view + (2 * q - 1) * found.inventory - above).max() < 0.03 * point
    assert np.abs(1 / 40 - found.view - (2 * q + 1) * found.inventory - below).max() < 0.03 * point


def test_the_closed_form_without_a_running_cost_is_its_limit():
    nearly = psi(30, 0.001, 0.0005, 1e-12, 0.5, 40)
    assert psi(30, 0.001, 0.0005, 0, 0.5, 40) == pytest.approx(nearly, rel=1e-5)


def test_at_the_horizon_only_the_cost_of_what_is_left_counts():
    assert psi(0, 0.001, 0.0005, 0.00001, 0.5, 40) == pytest.approx((0, -0.0005))
    assert psi(0, 0.001, 0.0005, 0, 0.5, 40) == pytest.approx((0, -0.0005))


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    return chains.prepared(chains.market(folder, 150), ["ACME", *chains.symbols()])


@pytest.fixture(scope="module")
def sessions(feed):
    return {
        quoter: [trade(quoter(), feed, seed) for seed in (1, 2, 3)]
        for quoter in (LucicTseOptionsStrategy, FixedWidthQuoter)
    }


def test_it_trades_and_never_exceeds_its_caps(sessions):
    for session in sessions[LucicTseOptionsStrategy]:
        assert session.fills > 100
        assert session.breaches == 0
        assert session.contracts.max() <= 20
        assert np.abs(session.vega).max() <= 200


def test_it_holds_a_third_less_vega_than_a_quoter_of_fixed_width(sessions):
    """For each seed, and in the mean of the three it earns money with it."""
    for ours, other in zip(*sessions.values(), strict=True):
        assert ours.risk < other.risk * 2 / 3
    assert np.mean([session.profit for session in sessions[LucicTseOptionsStrategy]]) > 0


class Watched:
    """A session bar by bar: the ``quotes`` that were made, each with its time, and the ``deltas`` of all that was held
    after each bar."""

    def __init__(self, feed, strategy, bars=None, arrivals=None):
        agent = RiskAgent()
        agent.watch = self._note
        self.engine = Engine("run", strategy, agent, feed.universe, Decimal(10_000_000))
        self.quotes, self.deltas = [], []
        venue = SimulatedBrokerage(starting_cash=10_000_000, arrivals=arrivals)
        venue.interval = feed.interval
        self.feed = {(bar.time, bar.symbol): bar for bar in feed.bars()}
        drive(self.engine, venue, feed.bars() if bars is None else bars, Curve())

    def _note(self, engine, equity):
        self.quotes += [(engine.now, order) for order in engine.open_orders() if order.created_at == engine.now]
        views = engine.strategy.state.views
        held = sum(float(engine.qty(symbol)) * 100 * view.delta for symbol, view in views.items())
        self.deltas.append(held + float(engine.qty("ACME")))
        return ()


def test_its_quotes_stand_on_both_sides_and_never_cross_the_market(feed):
    run = Watched(feed, LucicTseOptionsStrategy(), arrivals=None)
    assert {order.side for _, order in run.quotes} == {Side.BUY, Side.SELL}
    for time, order in run.quotes:
        seen = run.feed.get((time, order.symbol))
        if order.symbol != "ACME" and seen is not None:
            if order.side is Side.BUY:
                assert order.limit_price < Decimal(str(seen.ask))
            else:
                assert order.limit_price > Decimal(str(seen.bid))


def test_it_waits_until_it_knows_what_the_underlying_does(feed):
    run = Watched(feed, LucicTseOptionsStrategy())
    first = min(time for time, _ in run.quotes)
    start = next(feed.bars()).time
    assert 15 <= (first - start) / 60e9 <= 25


def test_quotes_are_withdrawn_when_the_options_are_quoted_no_more(feed):
    cut = next(feed.bars()).time + 60 * 60 * 10**9
    bars = [bar for bar in feed.bars() if bar.time < cut or bar.symbol == "ACME"]
    run = Watched(feed, LucicTseOptionsStrategy(**QUIET), bars)
    cancels = [record for record in run.engine.records if record.reason == "no quote for too long"]
    assert len(cancels) > 10
    assert {record.time for record in cancels} == {cut + 5 * 60 * 10**9}
    assert max(time for time, order in run.quotes if order.symbol != "ACME") < cut


def test_it_does_not_quote_without_the_underlying(feed):
    cut = next(feed.bars()).time + 60 * 60 * 10**9
    bars = [bar for bar in feed.bars() if bar.time < cut or bar.symbol != "ACME"]
    run = Watched(feed, LucicTseOptionsStrategy(), bars)
    assert max(time for time, _ in run.quotes) <= cut + 5 * 60 * 10**9
    assert "no quote, or none of the underlying" in {record.reason for record in run.engine.records}


def test_its_hedge_takes_most_of_the_delta_away(feed):
    """In the root mean square, beside the same quotes and fills without a hedge."""
    arrivals = {"intensity": 0.5, "decay": 40.0, "seed": 1}
    hedged, bare = (
        Watched(feed, LucicTseOptionsStrategy(hedge_band=band), arrivals=arrivals).deltas for band in (50, 1e9)
    )
    assert np.sqrt(np.mean(np.square(hedged))) < np.sqrt(np.mean(np.square(bare))) / 2


@pytest.mark.parametrize(("own", "side"), [(0.6, Side.BUY), (0.05, Side.SELL)])
def test_a_view_moves_both_quotes_to_its_side(own, side):
    strategy = LucicTseOptionsStrategy()
    greeks = option_greeks(Right.CALL, 100, 100, 16 / 365, 0.22)
    drift = (own**2 - 0.22**2) / 2 * 100**2 * greeks.gamma / MINUTES_PER_YEAR
    view = strategy_view(greeks, drift)
    above, below = strategy.offsets(view, greeks.vega, 0.0, 100.0)
    assert (above > below) is (side is Side.BUY)


def test_the_more_vega_is_held_the_less_is_paid_for_more(feed):
    strategy = LucicTseOptionsStrategy()
    greeks = option_greeks(Right.CALL, 100, 100, 16 / 365, 0.22)
    bids = [strategy.offsets(strategy_view(greeks, 0.0), greeks.vega, held, 100.0)[1] for held in (-100, 0, 100)]
    assert bids == sorted(bids)
    assert bids[0] < bids[2]


def strategy_view(greeks, drift):
    return View(worth=2.0, delta=greeks.delta, vega=greeks.vega, drift=drift, years=16 / 365)


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"decay": 0}, "decay"),
        ({"intensity": -1}, "intensity"),
        ({"terminal": -0.1}, "terminal"),
        ({"max_vega": 0}, "max_vega"),
        ({"quantity": 5, "max_contracts": 4}, "max_contracts"),
        ({"stale_seconds": float("nan")}, "stale_seconds"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(kwargs, named):
    with pytest.raises(InvalidValue, match=named):
        LucicTseOptionsStrategy(**kwargs)
