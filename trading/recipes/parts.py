"""What a recipe's ``class`` may name, and what its ``kwargs`` may hold: asked of the classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, create_model

from brokers import BROKERAGES
from trading.feeds import FEEDS
from trading.recipes.checks import shape_problems
from trading.recipes.errors import Problem, unknown
from trading.strategies import STRATEGIES


class Kind(NamedTuple):
    """A section of the recipe: its registry, and what the runner gives to its classes itself."""

    registry: Mapping[str, type]
    injected: Mapping[str, Any] = {}


KINDS: Final[dict[str, Kind]] = {
    "strategy": Kind(STRATEGIES),
    "feed": Kind(FEEDS, {"universe": ()}),
    "brokerage": Kind(BROKERAGES),
}


@cache
def kwargs_model(cls: type, *injected: str) -> type[BaseModel]:
    """The keyword arguments of a class' constructor, but for the injected ones, as a model that refuses all others."""
    parameters = inspect.signature(cls, eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for parameter in parameters
        if parameter.name not in injected
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=())
    return create_model(cls.__name__, __config__=config, **fields)


def part_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the classes and kwargs of a recipe's data; what has not the shape of a part is left out."""
    for section, kind in KINDS.items():
        part = data.get(section)
        if isinstance(part, Mapping) and isinstance(name := part.get("class"), str):
            cls = kind.registry.get(name)
            if cls is None:
                yield unknown(f"{section}.class", name, kind.registry)
            elif isinstance(kwargs := part.get("kwargs", {}), Mapping):
                yield from _kwargs_problems(f"{section}.kwargs", cls, kwargs, kind.injected)


def _kwargs_problems(
    field: str, cls: type, kwargs: Mapping[str, Any], injected: Mapping[str, Any]
) -> Iterator[Problem]:
    """Each argument by itself; when all are well, what the constructor says about them together."""
    problems = shape_problems(kwargs_model(cls, *injected), kwargs, field)
    yield from problems
    if not problems:
        try:
            cls(**injected, **kwargs)
        except ValueError as error:
            yield _placed(field, str(error), kwargs)


def _placed(field: str, message: str, kwargs: Mapping[str, Any]) -> Problem:
    """What lies inside of an argument (``fees.bps``) is named by its path, with which the sentence begins."""
    name, _, rest = message.partition(" ")
    if "." in name and name.split(".")[0] in kwargs:
        return Problem(f"{field}.{name}", rest)
    return Problem(field, message)
