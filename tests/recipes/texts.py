"""A whole recipe, to be changed a little by each test."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from trading.recipes import Problem, RecipeError, load, parse

WHOLE: dict[str, Any] = {
    "name": "whole",
    "universe": ["AAPL", "MSFT"],
    "strategy": {"class": "SmaCrossStrategy", "kwargs": {"fast": 3, "slow": 8, "quantity": 10}},
    "feed": {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Sec", "pace": "1x"}},
    "brokerage": {"class": "SimulatedBrokerage", "kwargs": {"starting_cash": 50_000, "fees": {"bps": 1}}},
    "risk": {"max_position_value": 20000, "on_breach": "halt"},
    "session": {"model_urn": "urn:a", "pipeline_urn": "urn:b", "max_bars": 100},
}


def changed(**places: Any) -> dict[str, Any]:
    """The whole recipe with other values; ``strategy__kwargs__fast=1`` leads to a place in depth."""
    data = copy.deepcopy(WHOLE)
    for place, value in places.items():
        *way, last = place.split("__")
        inner = data
        for step in way:
            inner = inner[step]
        inner[last] = value
    return data


def problems_of(recipe: Any) -> list[Problem]:
    """What is wrong with a recipe's data, or with its text."""
    with pytest.raises(RecipeError) as caught:
        load(recipe) if isinstance(recipe, str | bytes) else parse(recipe)
    return caught.value.problems


def fields(recipe: Any) -> list[str]:
    return [problem.field for problem in problems_of(recipe)]
