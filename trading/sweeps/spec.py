"""What to try: parameters, the search over them, and what counts as better. Pure: reads and contacts nothing."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from trading.engine.errors import InvalidValue
from trading.recipes import Part, Problem, Recipe, RecipeError
from trading.recipes.checks import shape_problems
from trading.recipes.errors import unknown
from trading.recipes.parts import kwargs_model
from trading.strategies import STRATEGIES

MOST_TRIALS: Final = 10_000
#: Draws of a random search for each trial that it is asked for, before it is content with fewer.
_PATIENCE: Final = 50

#: How the paths of the sizing's settings begin.
_OF_SIZING: Final = "sizing."

Params = dict[str, Any]
Objective = Literal["sharpe", "sortino", "calmar", "total_return"]
Number = int | float


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Strict):
    """From ``min`` to ``max``, both included. A grid needs a ``step``; a random search draws between without one."""

    min: Number
    max: Number
    step: Number | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _rises(self) -> Range:
        if not self.min < self.max:
            raise ValueError(f"max must be more than min, not min={self.min}, max={self.max}")
        if self.step is not None and (self.max - self.min) / self.step > MOST_TRIALS:
            raise ValueError(f"gives more than {MOST_TRIALS:,} values; take a larger step")
        return self

    @property
    def whole(self) -> bool:
        return isinstance(self.min, int) and isinstance(self.max, int)

    def values(self) -> list[Number]:
        """The steps from ``min`` on, as exact as they were written."""
        first, last, step = (Decimal(str(one)) for one in (self.min, self.max, self.step))
        count = int((last - first) / step) + 1
        made = [first + step * index for index in range(count)]
        return [int(one) if self.whole and one == int(one) else float(one) for one in made]

    def draw(self, made: random.Random) -> Number:
        if self.step is not None:
            return made.choice(self.values())
        if self.whole:
            return made.randint(int(self.min), int(self.max))
        return float(f"{made.uniform(self.min, self.max):.6g}")


class WalkForward(_Strict):
    """``folds`` tests one after another, each preceded by a training window ``train`` times as long as a test.

    A window rolls with its test, or grows from the beginning where it is ``anchored``.
    """

    folds: int = Field(5, ge=1, le=50)
    train: int = Field(3, ge=1, le=50)
    anchored: bool = False


Values = Annotated[list[JsonValue], Field(min_length=1, max_length=MOST_TRIALS)]


class SweepSpec(_Strict):
    """``parameters`` by their path below ``strategy.kwargs`` (``fast``, or ``filter.window``) or in the recipe's
    sizing (``sizing.fraction``): values, or a range.

    ``where`` are conditions between parameters and numbers such as ``fast < slow``; a combination that does not meet
    them is left out and counted. ``trials`` and ``seed`` are the random search's. ``workers`` may help at once.
    """

    parameters: Annotated[dict[str, Values | Range], Field(min_length=1, max_length=10)]
    search: Literal["grid", "random"] = "grid"
    trials: int = Field(100, ge=1, le=MOST_TRIALS)
    seed: int = Field(0, ge=0, lt=2**63)
    where: list[str] = Field(default_factory=list, max_length=20)
    objective: Objective = "sharpe"
    walk_forward: WalkForward | None = None
    workers: int = Field(8, ge=1, le=256)


@dataclass
class Plan:
    """The trials of a sweep in order, and how many combinations were left out for which reason."""

    trials: list[Params] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def read_spec(data: Mapping[str, Any]) -> SweepSpec:
    """A spec from its JSON form; raises `RecipeError` with every problem."""
    if not isinstance(data, Mapping):
        raise RecipeError([Problem("sweep", "must be a mapping with parameters")])
    problems = shape_problems(SweepSpec, data, "sweep")
    if problems:
        raise RecipeError(problems)
    return SweepSpec.model_validate(data)


def with_parameters(recipe: Recipe, params: Params) -> Recipe:
    """The recipe with these values below ``strategy.kwargs`` and ``sizing``."""
    own, of_sizing = _parted(params)
    strategy = Part.model_validate({"class": recipe.strategy.cls, "kwargs": _merged(recipe.strategy.kwargs, own)})
    changed: dict[str, Any] = {"strategy": strategy}
    if recipe.sizing is not None and of_sizing:
        changed["sizing"] = recipe.sizing.model_validate(_merged(recipe.sizing.model_dump(), of_sizing))
    return recipe.model_copy(update=changed)


def _parted(params: Params) -> tuple[Params, Params]:
    """The parameters of the strategy, and those of the sizing by their names in that section."""
    own = {path: value for path, value in params.items() if not path.startswith(_OF_SIZING)}
    return own, {path.removeprefix(_OF_SIZING): params[path] for path in params.keys() - own.keys()}


def _merged(kwargs: Mapping[str, Any], params: Params) -> dict[str, Any]:
    merged = dict(kwargs)
    for path, value in params.items():
        name, _, rest = path.partition(".")
        inner = merged.get(name)
        merged[name] = _merged(inner if isinstance(inner, Mapping) else {}, {rest: value}) if rest else value
    return merged


def plan(recipe: Recipe, spec: SweepSpec) -> Plan:
    """The trials of this spec over this recipe.

    Raises `RecipeError` for a parameter that the strategy does not have, a value that it cannot take, a search of more
    than 10,000 trials, and one that leaves none.
    """
    _check_parameters(recipe, spec)
    conditions = [_Condition.read(text, spec) for text in spec.where]
    made, seen = Plan(), set[str]()
    for params in _candidates(spec):
        if (told := repr(params)) in seen:
            continue
        seen.add(told)
        reason = next((one.text for one in conditions if not one.holds(params)), "") or _refusal(recipe, params)
        if reason:
            made.skipped[reason] += 1
        else:
            made.trials.append(params)
            if spec.search == "random" and len(made.trials) == spec.trials:
                break
    if not made.trials:
        reasons = "; ".join(f"{reason} ({count} times)" for reason, count in made.skipped.most_common(5))
        raise RecipeError([Problem("sweep.parameters", f"no combination can be tried: {reasons}")])
    return made


def _candidates(spec: SweepSpec) -> Iterator[Params]:
    if spec.search == "grid":
        domains = {path: _steps(path, domain) for path, domain in spec.parameters.items()}
        size = math.prod(len(values) for values in domains.values())
        if size > MOST_TRIALS:
            told = f"makes {size:,} combinations, more than {MOST_TRIALS:,}; take fewer values, or a random search"
            raise RecipeError([Problem("sweep.parameters", told)])
        for values in itertools.product(*domains.values()):
            yield dict(zip(domains, values, strict=True))
        return
    made = random.Random(spec.seed)
    for _ in range(spec.trials * _PATIENCE):
        yield {path: _draw(domain, made) for path, domain in spec.parameters.items()}


def _steps(path: str, domain: list[JsonValue] | Range) -> list[Any]:
    if isinstance(domain, list):
        return domain
    if domain.step is None:
        raise RecipeError([Problem(f"sweep.parameters.{path}", "needs a step; only a random search does without")])
    return domain.values()


def _draw(domain: list[JsonValue] | Range, made: random.Random) -> Any:
    return made.choice(domain) if isinstance(domain, list) else domain.draw(made)


def _check_parameters(recipe: Recipe, spec: SweepSpec) -> None:
    """Each path by its name, each value by itself; what holds between them is asked of each combination."""
    kwargs = kwargs_model(STRATEGIES[recipe.strategy.cls])
    sizing = recipe.sizing
    allowed = [*kwargs.model_fields, *(f"{_OF_SIZING}{name}" for name in (sizing and type(sizing).model_fields) or ())]
    problems: dict[str, Problem] = {}
    for path, domain in spec.parameters.items():
        where = f"sweep.parameters.{path}"
        model: type[BaseModel] = kwargs
        place, given = path, recipe.strategy.kwargs
        if sizing is not None and path.startswith(_OF_SIZING):
            model, place, given = type(sizing), path.removeprefix(_OF_SIZING), sizing.model_dump(mode="json")
        if place.partition(".")[0] not in model.model_fields:
            problems[where] = unknown(where, path, allowed)
            continue
        values = domain if isinstance(domain, list) else [domain.min, domain.max]
        for value in values:
            wrong = shape_problems(model, _merged(given, {place: value}))
            mine = [one for one in wrong if f"{one.field}.".startswith(f"{place}.")]
            if mine:
                problems[where] = Problem(where, f"{mine[0].message}, not {value!r}", mine[0].allowed)
                break
    if problems:
        raise RecipeError(list(problems.values()))


def _refusal(recipe: Recipe, params: Params) -> str:
    """What the strategy says against this combination, without the figures that differ from one to the next."""
    try:
        STRATEGIES[recipe.strategy.cls](**_merged(recipe.strategy.kwargs, _parted(params)[0]))
    except ValueError as error:
        return str(error).partition(", not ")[0]
    return ""


_CONDITION: Final = re.compile(r"\s*([\w.]+)\s*(<=|>=|==|!=|<|>)\s*([\w.+-]+)\s*")
_HOLDS: Final = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}


@dataclass(frozen=True)
class _Condition:
    text: str
    left: str
    sign: str
    right: str

    @classmethod
    def read(cls, text: str, spec: SweepSpec) -> _Condition:
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise RecipeError([Problem("sweep.where", f"{text!r} is no condition; write one such as fast < slow")])
        made = cls(f"{match[1]} {match[2]} {match[3]} is not so", *match.groups())
        for name in (made.left, made.right):
            if name not in spec.parameters and _number(name) is None:
                raise RecipeError([unknown("sweep.where", name, spec.parameters)])
        return made

    def holds(self, params: Params) -> bool:
        try:
            return bool(_HOLDS[self.sign](self._value(self.left, params), self._value(self.right, params)))
        except TypeError:
            raise InvalidValue(f"sweep.where: {self.left} and {self.right} cannot be compared") from None

    @staticmethod
    def _value(name: str, params: Params) -> Any:
        return params[name] if name in params else _number(name)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
