"""The market maker against the tables of Avellaneda and Stoikov (2008), and at the simulated venue."""

from decimal import Decimal
from math import log

import numpy as np
import pytest

from brokers.arrivals import Arrivals
from brokers.sim import SimulatedBrokerage
from tests.engine.builders import MINUTE, START
from trading.backtest import Curve, drive
from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderStatus, Side
from trading.engine.risk import RiskAgent
from trading.strategies.avellaneda_stoikov import AvellanedaStoikovStrategy, reservation_price, spread

SIGMA, K, INTENSITY, STEPS = 2.0, 1.5, 140.0, 200

#: gamma, lean: mean spread, mean profit, its deviation, deviation of the final inventory (tables 1 to 3).
PUBLISHED = {
    (0.1, True): (1.49, 65.0, 6.6, 2.9),
    (0.1, False): (1.49, 68.4, 12.7, 8.4),
    (0.01, True): (1.35, 68.6, 8.7, 5.1),
    (0.01, False): (1.35, 68.8, 12.8, 8.7),
    (1.0, True): (3.02, 31.4, 5.0, 1.7),
    (1.0, False): (3.02, 44.0, 11.0, 5.1),
}


def simulated(strategy, chance, paths=10_000, seed=1):
    """Profit and final inventory of each path, and the mean spread, in the world of the paper: the price moves by
    sigma sqrt(dt) up or down, and ``chance`` says how probable it is that a quote at a distance is hit in a step."""
    random = np.random.default_rng(seed)
    price, cash, held = np.full(paths, 100.0), np.zeros(paths), np.zeros(paths)
    spreads = []
    for step in range(STEPS):
        bid, ask = strategy.quotes(price, held, SIGMA, 1.0 - step / STEPS)
        bought = random.random(paths) < chance(price - bid)
        sold = random.random(paths) < chance(ask - price)
        cash += sold * ask - bought * bid
        held += bought * 1.0 - sold * 1.0
        price += SIGMA * (1.0 / STEPS) ** 0.5 * random.choice([-1.0, 1.0], paths)
        spreads.append(float(np.mean(ask - bid)))
    return cash + held * price, held, float(np.mean(spreads))


def by_the_paper(distance):
    """lambda dt."""
    return INTENSITY / STEPS * np.exp(-K * distance)


@pytest.mark.parametrize(("gamma", "lean"), PUBLISHED)
def test_the_published_tables_are_reproduced(gamma, lean):
    mean_spread, mean_profit, deviation, inventory = PUBLISHED[gamma, lean]
    strategy = AvellanedaStoikovStrategy(gamma=gamma, k=K, sigma=SIGMA, horizon=STEPS, lean=lean)
    profit, held, width = simulated(strategy, by_the_paper)
    assert width == pytest.approx(mean_spread, rel=0.005)
    assert profit.mean() == pytest.approx(mean_profit, rel=0.03)
    assert profit.std() == pytest.approx(deviation, rel=0.15)
    assert held.std() == pytest.approx(inventory, rel=0.15)


def test_leaning_away_from_the_inventory_costs_a_little_profit_and_halves_the_risk():
    lean, plain = (
        simulated(AvellanedaStoikovStrategy(gamma=0.1, k=K, sigma=SIGMA, lean=lean), by_the_paper)[0]
        for lean in (True, False)
    )
    assert lean.mean() > 0.9 * plain.mean()
    assert lean.std() < 0.6 * plain.std()


def test_the_formulas_by_hand():
    """gamma 0.1, sigma 2, k 1.5, half of the time left, three units held: 100 - 3 x 0.1 x 4 x 0.5 = 99.4."""
    assert reservation_price(100.0, 3.0, 0.1, 2.0, 0.5) == pytest.approx(99.4)
    assert spread(0.1, 2.0, 1.5, 0.5) == pytest.approx(0.2 + 20 * log(1 + 0.1 / 1.5))


def market(seed, steps=STEPS):
    """Minute bars of a middle that steps as in the paper: each opens where the one before closed."""
    moves = np.random.default_rng(seed).choice([-1.0, 1.0], steps) * SIGMA * (1.0 / STEPS) ** 0.5
    closes = np.round(100.0 + np.cumsum(moves), 6).tolist()
    opens = [100.0, *closes[:-1]]
    for number, (opening, close) in enumerate(zip(opens, closes, strict=True)):
        high, low = max(opening, close), min(opening, close)
        yield Bar("MM", START + number * MINUTE, opening, high, low, close, 1000.0)


class Watched(AvellanedaStoikovStrategy):
    """Notes at each bar what it holds and what it has at the venue from the bar before."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def on_bar(self, bar, context):
        resting = {order.side: order.limit_price for order in context.open_orders()}
        self.seen.append((bar, context.qty(bar.symbol), resting))
        return super().on_bar(bar, context)


def traded(seed, **kwargs):
    strategy = Watched(gamma=0.1, k=K, sigma=SIGMA, horizon=STEPS, **kwargs)
    fine = {"MM": instrument_of("MM", tick=Decimal("0.000001"))}
    engine = Engine("run", strategy, RiskAgent(), ["MM"], Decimal(100_000), fine)
    venue = SimulatedBrokerage(arrivals={"intensity": INTENSITY / STEPS, "decay": K, "seed": seed})
    venue.interval = MINUTE
    venue.instruments.update(fine)
    drive(engine, venue, market(seed), Curve())
    return strategy, engine


def test_the_engine_rests_the_quotes_of_the_formulas_at_the_venue():
    strategy, engine = traded(1)
    for step, ((bar, held, _), (_, now_held, resting)) in enumerate(
        zip(strategy.seen, strategy.seen[1:], strict=False)
    ):
        bid, ask = strategy.quotes(bar.close, float(held), SIGMA, 1.0 - step / STEPS)
        expected = {Side.BUY: bid, Side.SELL: ask}
        for side, price in resting.items():
            assert float(price) == pytest.approx(expected[side], abs=1e-6)
        assert len(resting) != 1 or now_held != held
    assert engine.fills > 50


def test_its_profit_at_the_venue_is_that_of_the_model():
    """Forty periods, against ten thousand of the vectorised model with the chance that the venue uses."""
    flow = Arrivals(intensity=INTENSITY / STEPS, decay=K)
    model = AvellanedaStoikovStrategy(gamma=0.1, k=K, sigma=SIGMA, horizon=STEPS)
    expected, _, _ = simulated(model, np.vectorize(lambda distance: flow.chance(float(distance), 1.0)), paths=2_000)
    profits = np.array([float(traded(seed)[1].equity) - 100_000.0 for seed in range(40)])
    assert profits.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / 40**0.5)
    assert profits.std() < 2 * expected.std()


def test_it_never_holds_more_than_its_cap_and_withdraws_the_side_that_would():
    strategy, engine = traded(3, lean=False, max_inventory=2)
    held = [held for _, held, _ in strategy.seen]
    assert max(map(abs, held)) == 2
    assert any(order.status is OrderStatus.CANCELLED for order in engine.orders.values())


def test_without_a_sigma_it_measures_the_deviation_of_the_middle():
    strategy = AvellanedaStoikovStrategy(horizon=STEPS)
    engine = Engine("run", strategy, RiskAgent(), ["MM"], Decimal(100_000))
    for bar in market(1):
        engine.on_bar(bar)
    maker = strategy.state.makers["MM"]
    assert (maker.variance * STEPS) ** 0.5 == pytest.approx(SIGMA, rel=0.01)


@pytest.mark.parametrize("field", ["gamma", "k", "sigma", "horizon", "quantity", "max_inventory"])
def test_a_wrong_setting_is_named(field):
    with pytest.raises(InvalidValue, match=field):
        AvellanedaStoikovStrategy(**{field: 0})
