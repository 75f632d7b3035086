"""A strategy that is saved as JSON and restored into a fresh instance goes on as if nothing had happened."""

import json
import uuid
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from trading.backtest import Curve, drive
from trading.bounds import bounded
from trading.engine.memory import restore, saved
from trading.engine.records import ledger_hash
from trading.engine.strategy import IStrategy
from trading.parts import assemble
from trading.recipes import load_named
from trading.recipes.reading import FOLDER
from trading.strategies import STRATEGIES

BARS = 1_500


class Interrupted(IStrategy):
    """Runs a strategy, and after ``after`` bars another one made in the same way, with the saved state of the first."""

    def __init__(self, make, after):
        self.make = make
        self.left = after
        self.strategy = make()
        self.history = self.strategy.history

    def on_bar(self, bar, context):
        if not self.left:
            text = json.dumps(saved(self.strategy))
            self.strategy = self.make()
            restore(self.strategy, json.loads(text))
        self.left -= 1
        return self.strategy.on_bar(bar, context)

    def on_timer(self, name, context):
        return self.strategy.on_timer(name, context)


def recipe_of(strategy):
    """A shipped recipe that trades by it, on bars of its own: each strategy has one."""
    recipes = (load_named(file.stem) for file in sorted(FOLDER.glob("*.yaml")))
    own = (recipe for recipe in recipes if recipe.brokerage.cls == "SimulatedBrokerage")
    return next(recipe for recipe in own if recipe.strategy.cls == strategy)


def ran(recipe, after):
    parts = assemble(recipe)
    parts.prepare()
    make = partial(STRATEGIES[recipe.strategy.cls], **recipe.strategy.kwargs)
    engine = replace(parts, strategy=Interrupted(make, after)).engine(uuid.uuid4())
    drive(engine, parts.brokerage, bounded(parts.feed.bars(), BARS, None), Curve())
    return engine


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_restored_strategy_trades_as_if_it_had_never_stopped(name):
    recipe = recipe_of(name)
    whole = ran(recipe, -1)
    restored = ran(recipe, whole.bars // 2)
    assert whole.bars > 100
    assert whole.orders
    assert ledger_hash(restored.records) == ledger_hash(whole.records)


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_a_strategy_has_learned_is_in_its_state(name):
    assert isinstance(STRATEGIES[name]().state, msgspec.Struct)
