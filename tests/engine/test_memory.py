"""A strategy's memory comes back from JSON as it was."""

from __future__ import annotations

import json
import math
from collections import deque
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.builders import Script, bar, engine
from trading.engine.errors import InvalidValue
from trading.engine.memory import restore, saved
from trading.engine.strategy import IStrategy


class Average(msgspec.Struct):
    total: Decimal = Decimal(0)
    window: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=3))


class Learned(msgspec.Struct):
    averages: dict[str, Average] = {}
    by_day: dict[int, int] = {}
    best: float = math.nan
    last: float | None = None


class Learner(IStrategy):
    def __init__(self) -> None:
        self.state = Learned()

    def on_bar(self, bar, context):
        average = self.state.averages.setdefault(bar.symbol, Average())
        average.window.append(bar.close)
        average.total += Decimal(repr(bar.close))
        self.state.by_day[bar.time] = len(average.window)
        return []


@given(st.lists(st.floats(0.01, 1e6), max_size=8), st.floats() | st.none())
def test_what_was_saved_is_what_is_restored(closes, last):
    first, second = Learner(), Learner()
    machine = engine(first)
    for minute, close in enumerate(closes):
        machine.on_bar(bar(close, minute=minute))
    first.state.last = last
    restore(second, json.loads(json.dumps(saved(first), allow_nan=False)))
    assert repr(second.state) == repr(first.state)
    for average in second.state.averages.values():
        assert average.window.maxlen == 3


def test_a_strategy_without_memory_saves_none_and_takes_none():
    strategy = Script()
    assert saved(strategy) is None
    restore(strategy, None)
    with pytest.raises(InvalidValue, match="Script has no memory"):
        restore(strategy, {"a": 1})


def test_the_memory_of_another_strategy_is_refused_and_changes_nothing():
    strategy = Learner()
    before = strategy.state
    with pytest.raises(InvalidValue, match=r"no memory of Learner.*averages"):
        restore(strategy, {"averages": {"SPY": 3}})
    assert strategy.state is before
