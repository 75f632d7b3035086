"""What can be asked for, what is tried, and what is refused with a reason."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.market import recipe as recipe_of
from tests.trading.market import synthetic
from trading.engine.errors import InvalidValue
from trading.recipes import RecipeError, parse
from trading.sweeps.spec import Plan, Range, plan, read_spec, with_parameters
from trading.sweeps.text import read_domain

RECIPE = parse(recipe_of({**synthetic(), "kwargs": {"seed": 1, "timeframe": "1Min", "pace": "max", "bars": 100}}))


def planned(parameters: dict[str, Any], **spec: Any) -> Plan:
    return plan(RECIPE, read_spec({"parameters": parameters, **spec}))


def refusal(parameters: dict[str, Any], **spec: Any) -> str:
    with pytest.raises((RecipeError, InvalidValue)) as caught:
        planned(parameters, **spec)
    return str(caught.value)


def test_a_grid_tries_each_with_each_in_the_order_of_the_plan() -> None:
    found = planned({"fast": [2, 3], "slow": [30, 40]})
    assert [tuple(one.values()) for one in found.trials] == [(2, 30), (2, 40), (3, 30), (3, 40)]


def test_what_the_strategy_refuses_is_left_out_and_counted_by_its_reason() -> None:
    found = planned({"fast": [2, 30, 40], "slow": [20]})
    assert found.trials == [{"fast": 2, "slow": 20}]
    assert found.skipped == {"fast must be at least 1 and less than slow": 2}


def test_what_does_not_meet_a_condition_is_left_out_and_counted() -> None:
    found = planned({"fast": [2, 10], "slow": [12, 30]}, where=["fast <= 5", "slow > 12"])
    assert found.trials == [{"fast": 2, "slow": 30}]
    assert found.skipped == {"fast <= 5 is not so": 2, "slow > 12 is not so": 1}


def test_the_parameters_take_the_place_of_the_recipes() -> None:
    assert with_parameters(RECIPE, {"fast": 3}).strategy.kwargs == {"fast": 3, "slow": 20, "quantity": 10}


def test_the_recipes_sizing_may_be_varied_too() -> None:
    kelly = {"method": "kelly", "kind": "discrete"}
    sized = parse({**recipe_of(synthetic()), "sizing": kelly})
    found = plan(sized, read_spec({"parameters": {"fast": [2, 3], "sizing.fraction": [0.25, 0.5]}}))
    assert len(found.trials) == 4
    tried = with_parameters(sized, found.trials[0])
    assert (tried.strategy.kwargs["fast"], tried.sizing.fraction, tried.sizing.cap) == (
        2,
        Decimal("0.25"),
        Decimal("0.05"),
    )


def test_a_value_that_the_sizing_cannot_take_is_refused() -> None:
    sized = parse({**recipe_of(synthetic()), "sizing": {"method": "fixed_fraction", "fraction": "0.1"}})
    for parameters, told in (
        ({"sizing.fraction": [0]}, "sweep.parameters.sizing.fraction: must be greater than 0, not 0"),
        ({"sizing.fractoin": [1]}, "did you mean sizing.fraction?"),
        ({"sizing.method": ["kelly"]}, "sweep.parameters.sizing.method: must be 'fixed_fraction'"),
    ):
        with pytest.raises(RecipeError, match=re.escape(told)):
            plan(sized, read_spec({"parameters": parameters}))
    assert "sizing.fraction is not known" in refusal({"sizing.fraction": [1]})


def test_the_same_seed_draws_the_same_trials_and_another_does_not() -> None:
    domains = {"fast": {"min": 2, "max": 19}, "quantity": {"min": 0.5, "max": 9.5}}
    drawn = [planned(domains, search="random", trials=20, seed=seed).trials for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 20


def test_a_random_search_tries_nothing_twice_and_is_content_with_what_there_is() -> None:
    found = planned({"fast": [2, 3, 4]}, search="random", trials=100).trials
    assert sorted(one["fast"] for one in found) == [2, 3, 4]


@pytest.mark.parametrize(
    ("parameters", "spec", "told"),
    [
        ({"fasst": [1]}, {}, "sweep.parameters.fasst: fasst is not known; did you mean fast?"),
        ({"fast": ["x"]}, {}, "sweep.parameters.fast: must be a whole number, not 'x'"),
        ({"fast": []}, {}, "sweep.parameters.fast"),
        ({}, {}, "sweep.parameters"),
        ({"fast": {"min": 2, "max": 9}}, {}, "needs a step"),
        ({"fast": {"min": 9, "max": 2, "step": 1}}, {}, "max must be more than min"),
        ({"fast": {"min": 0, "max": 9, "step": 0}}, {}, "sweep.parameters.fast.step"),
        ({"fast": [2], "slow": list(range(20, 9000)), "quantity": [1, 2]}, {}, "more than 10,000"),
        ({"fast": [50, 60]}, {}, "no combination can be tried: fast must be at least 1 and less than slow (2 times)"),
        ({"fast": [2]}, {"where": ["fast is 3"]}, "is no condition"),
        ({"fast": [2]}, {"where": ["fast < slowest"]}, "sweep.where: slowest is not known"),
        ({"fast": [2]}, {"objective": "luck"}, "sweep.objective"),
        ({"fast": [2]}, {"surprise": 1}, "sweep.surprise"),
        ({"fast": [2]}, {"walk_forward": {"folds": 0}}, "sweep.walk_forward.folds"),
        ({"fast": [2]}, {"search": "random", "trials": 10_001}, "sweep.trials"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(parameters: dict[str, Any], spec: dict[str, Any], told: str) -> None:
    assert told in refusal(parameters, **spec)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("5,10,20", [5, 10, 20]),
        ("0.5, 1e-3", [0.5, 0.001]),
        ("true,false,high", [True, False, "high"]),
        ("5:50:5", {"min": 5, "max": 50, "step": 5}),
        ("0.1:0.9", {"min": 0.1, "max": 0.9}),
    ],
)
def test_domains_are_read_as_a_person_types_them(text: str, domain: Any) -> None:
    assert read_domain(text) == domain


@pytest.mark.parametrize("text", ["", "1,,2", "1:2:3:4", "a:b", "1:"])
def test_a_domain_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        read_domain(text)


@given(st.integers(-1000, 1000), st.integers(1, 300), st.integers(1, 50))
def test_a_range_holds_its_ends_and_nothing_beyond(low: int, width: int, step: int) -> None:
    values = Range(min=low, max=low + width, step=step).values()
    assert values == list(range(low, low + width + 1, step))


@given(st.decimals(-5, 5, places=2), st.integers(1, 40), st.sampled_from(["0.1", "0.25", "0.01"]))
def test_the_steps_of_a_range_do_not_drift(low: Any, count: int, step: str) -> None:
    high = low + count * Decimal(step)
    values = Range(min=float(low), max=float(high), step=float(step)).values()
    assert len(values) == count + 1
    assert values[-1] == float(high)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True),
)
def test_every_combination_is_either_tried_or_counted(fast: list[int], slow: list[int]) -> None:
    spec = read_spec({"parameters": {"fast": fast, "slow": slow}})
    good = [(one, other) for one in fast for other in slow if one < other]
    if not good:
        with pytest.raises(RecipeError):
            plan(RECIPE, spec)
        return
    found = plan(RECIPE, spec)
    assert [(one["fast"], one["slow"]) for one in found.trials] == good
    assert sum(found.skipped.values()) == len(fast) * len(slow) - len(good)
